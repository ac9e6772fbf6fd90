"""Stored objects in another Transfer Syntax, for peers that do not take the one they are stored in.

Decoders are C code that is fed with strangers' bytes: a crash, a hang or gigabytes of memory must cost the
one object and nobody else. So they run in processes of their own, `python -m sdcc.conversion`, which
:mod:`sdcc.conversion.converter` keeps; the server itself never imports a decoder, nor numpy.
"""
