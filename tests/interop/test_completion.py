"""A site that acts on whole studies: a command and a service are told, whatever happens to the server."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import socket
import sqlite3
import sys
import threading

import pytest

from .objects import CT, data_set, new_uid
from .server import CONFIGURATION, running, until
from .wire import EXPLICIT, STATUS, Peer

#: Writes down what it is told, a line each time.
PROGRAM = "import sys; open(sys.argv[1], 'a').write(sys.argv[2] + ' ' + sys.stdin.read())"


class Service:
    """An HTTP service that takes everything, from :meth:`open` on."""

    def __init__(self):
        self.taken = []
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            self.port = reserved.getsockname()[1]
        self._server = None

    def open(self):
        service = self

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                service.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Answers)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


@pytest.fixture
def service():
    service = Service()
    yield service
    service.close()


def store(server, number=1):
    with Peer(server.address) as peer:
        peer.associate((1, CT, EXPLICIT), calling="CT01")
        for _ in range(number):
            uid = new_uid()
            assert peer.store(1, CT, uid, data_set(instance=uid))[STATUS] == 0
        peer.release()


def execute(server, statement):
    """What a site's own program reads; and, for this test, time that passes by while the server is away."""
    with contextlib.closing(sqlite3.connect(server.storage / "index.sqlite")) as index, index:
        return index.execute(statement).fetchall()


def test_a_site_is_told_of_whole_studies_over_kills_and_outages(tmp_path, service):
    told = tmp_path / "told"
    command = json.dumps([sys.executable, "-c", PROGRAM, str(told), "{study_instance_uid}/{calling_ae}"])
    configuration = f"""{CONFIGURATION}
[study]
stable_after = 0.5
command = {command}
post = "http://127.0.0.1:{service.port}/studies"
"""

    def lines():
        return told.read_text().splitlines() if told.exists() else []

    def acted(number):
        """The command has been run so often, and is not owed any more."""
        until(lambda: len(lines()) == number, "the command is done")
        until(lambda: not execute(server, "SELECT 1 FROM notice WHERE means = 'command'"))

    with running(tmp_path, configuration) as server:
        store(server, 2)
        assert execute(server, "SELECT stable_at FROM study") == [(None,)]
        acted(1)
        until(lambda: "next attempt in" in server.log(), "the service is down")
        [(stable_at, received_at)] = execute(
            server,
            "SELECT stable_at, max(received_at) FROM study JOIN series USING (study_key)"
            " JOIN instance USING (series_key)",
        )
        name, _, facts = lines()[0].partition(" ")
        assert name == "1.2.3/CT01"
        assert json.loads(facts) == {
            "study_instance_uid": "1.2.3",
            "patient_id": None,
            "accession_number": None,
            "series": 1,
            "instances": 2,
            "bytes": sum(path.stat().st_size for path in server.objects()),
            "calling_ae": "CT01",
            "called_ae": "SDCC",
            "last_received_at": received_at,
            "stable_at": stable_at,
        }
        assert len(re.findall(r"Study 1\.2\.3 is stable: series 1, objects 2, bytes", server.log())) == 1
        assert "Sent" not in server.log(), "no patient's name"

        server.kill()
        execute(server, "UPDATE notice SET due = '2024-05-01T09:30:00.000000Z'")
        service.open()
        server.start()
        until(lambda: service.taken, "what was owed is delivered")
        assert service.taken == [json.loads(facts)]
        assert len(lines()) == 1, "and nothing else is"

        store(server)
        acted(2)
        until(lambda: len(service.taken) == 2, "it is stable anew")
        assert service.taken[1]["instances"] == 3

        store(server)
        server.kill()
        server.start()
        acted(3)
        until(lambda: len(service.taken) == 3, "what the killed server had no time for is found")
        assert service.taken[2]["instances"] == 4
        until(lambda: not execute(server, "SELECT 1 FROM notice"))
