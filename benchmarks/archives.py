"""The receivers that also give back, set up to do so: whoever asks may, and one destination is known."""

from __future__ import annotations

import json
from typing import ClassVar

from .receivers import MAXIMUM_LENGTH, Dcmqrscp, Orthanc, Receiver, Storescp
from .sdcc_receivers import SDCC, SDCCOnPostgreSQL

#: The AE title of what takes C-MOVE's sub-operations.
DESTINATION = "SINK"


class Sink(Receiver):
    """DCMTK's storescp, which drops what it takes: what is measured is who sends."""

    program = "storescp"
    path = Storescp.path

    def command(self, associations):
        del associations
        return self.path(), "-q", "--ignore", "+xa", "-pdu", MAXIMUM_LENGTH, "--fork", str(self.port)


class _Giving:
    #: (host, port) of a :class:`Sink`.
    destination: ClassVar = ("127.0.0.1", 1)


class GivingDcmqrscp(_Giving, Dcmqrscp):
    def command(self, associations):
        command = super().command(associations)
        written = self.directory / "dcmqrscp.cfg"
        host, port = self.destination
        written.write_text(
            written.read_text().replace(
                "HostTable BEGIN\n", f"HostTable BEGIN\nsink = ({DESTINATION}, {host}, {port})\n"
            )
        )
        return command


class GivingOrthanc(_Giving, Orthanc):
    def command(self, associations):
        command = super().command(associations)
        written = self.directory / "orthanc.json"
        chosen = json.loads(written.read_text()) | {
            "DicomAlwaysAllowFind": True,
            "DicomAlwaysAllowGet": True,
            "DicomAlwaysAllowMove": True,
            "DicomModalities": {"sink": [DESTINATION, *self.destination]},
        }
        written.write_text(json.dumps(chosen))
        return command


class _GivingSDCC(_Giving):
    def _configuration(self):
        host, port = self.destination
        remote = f'[[remote]]\nae_title = "{DESTINATION}"\naddress = "{host}"\nport = {port}\n'
        return super()._configuration() + remote


class GivingSDCC(_GivingSDCC, SDCC):
    """On SQLite."""


class GivingSDCCOnPostgreSQL(_GivingSDCC, SDCCOnPostgreSQL):
    """On PostgreSQL."""


ARCHIVES = {
    "sdcc-sqlite": GivingSDCC,
    "sdcc-postgresql": GivingSDCCOnPostgreSQL,
    "dcmqrscp": GivingDcmqrscp,
    "orthanc": GivingOrthanc,
}
