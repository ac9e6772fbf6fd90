"""The audit trail that a configuration asks for."""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Callable
from typing import Any

from sdcc.audit.collector import Collector
from sdcc.audit.destination import Destination
from sdcc.audit.events import Node
from sdcc.audit.file import AuditFile, LineFile
from sdcc.audit.lines import LocalLine, Resolve, TCPLine, UDPLine
from sdcc.audit.syslog import Syslog
from sdcc.audit.trail import AuditTrail
from sdcc.config import Configuration
from sdcc.interfaces import RunInThread


def audit_trail(
    configuration: Configuration,
    reactor: Any,
    *,
    run_in_thread: RunInThread,
    resolve: Resolve,
    now: Callable[[], datetime.datetime],
    host: str = "",
) -> AuditTrail | None:
    """
    :param run_in_thread: runs one call at a time, in order.
    :param resolve: gives the addresses of a host name, none where it has none; it may hang.
    :param host: the name of this machine; empty: it is asked.
    """
    settings = configuration.audit
    if settings is None:
        return None
    host = host or socket.gethostname()
    return AuditTrail(
        _destination(settings.destination, reactor, run_in_thread, resolve),
        Syslog(source_id=settings.source_id or host, host=host, process_id=os.getpid),
        Node(host, tuple(dict.fromkeys(local.ae_title for local in configuration.locals))),
        source=configuration.source.as_uri() if configuration.source else "sdcc.toml",
        clock=reactor,
        now=now,
    )


def _destination(where: str, reactor: Any, run_in_thread: RunInThread, resolve: Resolve) -> Destination:
    kind, _, rest = where.partition(":")
    if kind == "unix":
        return Collector(LocalLine(rest), where, reactor)
    if kind in ("tcp", "udp"):
        host, _, port = rest.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if kind == "tcp":
            return Collector(TCPLine(host, int(port), reactor, resolve), where, reactor)
        return Collector(UDPLine(host, int(port), resolve), where, reactor)
    return AuditFile(LineFile(where), where, run_in_thread, reactor)
