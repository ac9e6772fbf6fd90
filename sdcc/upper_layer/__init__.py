"""The DICOM Upper Layer protocol (PS3.8): codecs, negotiation and protocol machine.

Functions of bytes. Nothing here knows of sockets, clocks, files or Twisted.
"""
