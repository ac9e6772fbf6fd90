"""The audit trail: who sent what, asked for what and was refused, as messages of PS3.15 A.5 for a syslog.

It knows of associations what observers are told (:mod:`sdcc.interfaces.observation`), and nothing of how they
are served. Patients' names and IDs are in it, as the standard wants them: the log has none.
"""
