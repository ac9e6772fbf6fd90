"""Facts of associations, as observers are told them."""

from __future__ import annotations

import datetime

from sdcc.interfaces import AssociationFacts, RefusalFacts

CT = "1.2.840.10008.5.1.4.1.1.2"
NOW = datetime.datetime(2026, 2, 28, 12, 30, 1, 5000, tzinfo=datetime.UTC)
ASSOCIATION = AssociationFacts(
    number=1,
    calling_ae="CT01",
    called_ae="SDCC",
    address="192.0.2.1",
    is_ours=False,
    is_remote=True,
    opened_at=NOW,
)
REFUSAL = RefusalFacts(
    calling_ae="STRANGER",
    called_ae="SDCC",
    address="192.0.2.9",
    codes="1/1/3",
    rule="calling_ae",
    cause="no [[remote]] 'STRANGER'",
    is_local=True,
    is_remote=False,
)
