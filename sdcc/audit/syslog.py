"""An audit message as a line of syslog (RFC 5424, as PS3.15 A.6 and A.7 want it)."""

from __future__ import annotations

import re
from collections.abc import Callable

from sdcc.audit.codes import Outcome
from sdcc.audit.message import Message, encode

#: Security/authorization messages (authpriv).
FACILITY = 10
#: Normal but significant; and a warning condition.
NOTICE, WARNING = 5, 4
MESSAGE_ID = "DICOM+RFC3881"
APPLICATION_NAME = "sdcc"
#: What RFC 5424 6.4 has before a text in UTF-8.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NOT_PRINTABLE = re.compile("[^!-~]")


class Syslog:
    """
    :param source_id: the Audit Source ID.
    :param host: of this machine.
    """

    def __init__(self, *, source_id: str, host: str, process_id: Callable[[], int]) -> None:
        self._source_id = source_id
        self._host = _NOT_PRINTABLE.sub("_", host)[:255] or "-"
        self._process_id = process_id

    def line(self, message: Message) -> bytes:
        """Without a line break, neither within it nor at its end."""
        severity = NOTICE if message.outcome is Outcome.SUCCESS else WARNING
        time = message.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        header = (
            f"<{FACILITY * 8 + severity}>1 {time} {self._host} {APPLICATION_NAME} {self._process_id()} "
            f"{MESSAGE_ID} - "
        )
        return header.encode("ascii") + BYTE_ORDER_MARK + encode(message, self._source_id)
