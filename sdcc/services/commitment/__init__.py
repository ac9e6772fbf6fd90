"""The Storage Commitment Service Class as SCP (PS3.4 Annex J), Push Model."""
