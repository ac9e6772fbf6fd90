"""The Query/Retrieve Service Class as SCP (PS3.4 Annex C): C-FIND, C-MOVE and C-GET."""
