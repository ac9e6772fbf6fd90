"""The database that alone decides which objects exist.

:mod:`~sdcc.index.rows` and :mod:`~sdcc.index.grouping` are of no database in particular; one
module for each database stands on them. Nothing here knows a transport, a service or a file of
the archive: a path is text.
"""
