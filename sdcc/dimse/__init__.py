"""DIMSE, the message exchange of PS3.7. Sans-IO: no Twisted, no files, no clock."""
