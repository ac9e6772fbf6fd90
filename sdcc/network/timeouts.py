"""How long the steps of an association that SDCC opens may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from sdcc.config import AssociationSettings

#: Of the name of the peer and the transport connection, in seconds: who answers at all does so at once.
CONNECTION_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """In seconds."""

    #: Until the transport connection stands, the lookup of its host name included.
    connection: float
    #: Of each answer to A-ASSOCIATE-RQ and A-RELEASE-RQ.
    acse: float
    #: That a peer may make no progress for with a message: take nothing more of it, or not answer.
    dimse: float
    #: PS3.8 9.1.5.
    artim: float

    @classmethod
    def of(cls, settings: AssociationSettings) -> Self:
        """Those of the server."""
        return cls(
            connection=CONNECTION_TIMEOUT,
            acse=settings.artim_timeout,
            dimse=settings.idle_timeout,
            artim=settings.artim_timeout,
        )
