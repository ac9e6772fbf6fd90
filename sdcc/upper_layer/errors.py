"""What can go wrong in the Upper Layer, by whose fault it is.

A peer's fault carries the answer that the wire gives to it; ours has none.
"""

from __future__ import annotations

from sdcc.upper_layer.codes import AbortReason


class UpperLayerError(Exception):
    """Something that PS3.8 does not allow."""


class PeerError(UpperLayerError):
    """The peer sent what it may not send.

    :ivar reason: what an A-ABORT says of it (PS3.8 9.3.8). The text names the field, its value
        and what is allowed.
    """

    def __init__(self, reason: AbortReason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class LocalError(UpperLayerError):
    """This side asked for what cannot be done now: a fault of the program, never of the peer."""


def invalid_value(text: str) -> PeerError:
    """A field or item holds what it may not hold."""
    return PeerError(AbortReason.INVALID_PDU_PARAMETER_VALUE, text)


def unexpected_parameter(text: str) -> PeerError:
    """An item does not belong there, or not again."""
    return PeerError(AbortReason.UNEXPECTED_PDU_PARAMETER, text)
