"""The log: which events are told, what a line looks like, and how it comes to a file, the journal or syslog.

`levels` choose, `lines` make a line of an event, `file` and `outlets` take it, and `writer` is the thread
between, so that a disk that hangs stops nobody but the log. `log` is Twisted's observer: all of it
together.
"""
