"""Files and index compared: what one has and the other has not, and what can be done about it.

For the administrator's tool and for the server's own look after an unclean stop. Everything here may happen
while servers receive: whatever looks wrong is looked at once more when no server can be about to
change it. Knows the archive's files and, of the index, :mod:`sdcc.interfaces` alone.
"""
