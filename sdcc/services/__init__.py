"""The service classes that SDCC provides as SCP (PS3.4), over DIMSE and nothing nearer the wire."""
