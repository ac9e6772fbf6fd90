"""/metrics and /health of a server that works meanwhile, read as Prometheus and a balancer read them."""

from __future__ import annotations

import json
import re
import socket
import threading
import urllib.error
import urllib.request

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from .objects import CT, data_set, new_uid
from .server import until
from .wire import EXPLICIT, IMPLICIT, VERIFICATION

CONTEXTS = ((1, CT, EXPLICIT), (3, VERIFICATION, IMPLICIT))
OBJECTS = 60
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PARTIES = {"called_ae": "SDCC", "requestor": "peer"}


@pytest.fixture(scope="module")
def configuration(configuration):
    return (
        configuration
        + """
[http]
endpoint = "tcp:0:interface=127.0.0.1"
[[remote]]
ae_title = "CT01"
address = "127.0.0.1"
"""
    )


@pytest.fixture(scope="module")
def url(server):
    (place,) = re.findall(r"HTTP on (\S+)", server.log())
    return f"http://{place}"


def samples(url, accept="", read=read_text):
    """Each sample of a page of metrics by its name and labels."""
    request = urllib.request.Request(f"{url}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=20) as response:
        text = response.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in read(text)
        for sample in family.samples
    }


class Page:
    """The metrics as they are when a condition first holds: they are made once a second at most."""

    def __init__(self, url, condition):
        self._samples = {}

        def holds():
            self._samples = samples(url)
            return condition(self)

        until(holds, "the metrics say so")

    def __call__(self, name, **labels):
        return self._samples.get((name, frozenset(labels.items())), 0)


def test_what_was_sent_is_what_is_counted_whoever_looks_meanwhile(server, url, connect):
    """Two peers store at full speed, one of them a stranger, while both of Prometheus' parsers read."""
    sent = {"CT01": 0, "STRANGER": 0}

    def storing(calling):
        peer = connect(server.address)
        assert peer.associate(*CONTEXTS, calling=calling).contexts[1][0] == 0
        for number in range(OBJECTS):
            uid = new_uid()
            data = data_set(instance=uid, pixels=bytes(2 * number))
            assert peer.store(1, CT, uid, data)[0x0900] == 0
            sent[calling] += len(data)
        assert peer.echo(3) == 0
        peer.release()

    senders = [threading.Thread(target=storing, args=(calling,)) for calling in sent]
    for sender in senders:
        sender.start()
    while any(sender.is_alive() for sender in senders):
        samples(url)
        samples(url, OPENMETRICS, read_openmetrics)
    for sender in senders:
        sender.join()

    page = Page(url, lambda page: page("sdcc_index_group_objects_sum") == 2 * OBJECTS)
    for calling, label in (("CT01", "CT01"), ("STRANGER", "(unknown)")):
        parties = {"calling_ae": label, **PARTIES}
        assert sent[calling] > 0
        assert page("sdcc_received_bytes_total", **parties) == sent[calling]
        assert page("sdcc_objects_received_total", **parties, sop_class="CT Image Storage") == OBJECTS
        of_peer = {**parties, "invoker": "peer", "status": "0000"}
        assert page("sdcc_operations_total", **of_peer, command="C-STORE") == OBJECTS
        assert page("sdcc_operations_total", **of_peer, command="C-ECHO") == 1
        for stage in ("receiving", "syncing", "registering"):
            assert page("sdcc_store_duration_seconds_count", **parties, stage=stage) == OBJECTS
            assert page("sdcc_store_duration_seconds_sum", **parties, stage=stage) > 0
        assert page("sdcc_associations_opened_total", **parties) == 1
        assert page("sdcc_associations_ended_total", **parties, ending="released") == 1
        assert page("sdcc_associations_open", **parties) == 0
    assert page("sdcc_waiting_bytes") == 0
    assert page("sdcc_state", state="ready") == 1


def test_an_association_that_is_refused_or_aborted_is_counted_as_that(server, url, connect):
    assert connect(server.address).associate(*CONTEXTS, called="NOBODY", calling="CT01").codes == "1/1/7"
    peer = connect(server.address)
    peer.associate(*CONTEXTS, calling="CT01")
    parties = {"calling_ae": "CT01", **PARTIES}
    Page(url, lambda page: page("sdcc_associations_open", **parties) == 1)
    peer.abort()
    page = Page(url, lambda page: page("sdcc_associations_ended_total", **parties, ending="peer-abort") == 1)
    assert (
        page(
            "sdcc_associations_refused_total",
            calling_ae="CT01",
            called_ae="(unknown)",
            codes="1/1/7",
            rule="called_ae",
        )
        == 1
    )


def test_what_sdcc_is_as_a_process_is_told_too(server, url):
    page = Page(url, lambda page: page("process_resident_memory_bytes") > 0)
    assert page("process_open_fds") > 0
    assert page("sdcc_reactor_lag_seconds_count") > 0
    assert page("sdcc_build_info", version="1.1.0", index="SQLite") == 1


def test_a_balancer_learns_that_it_is_ready(url):
    with urllib.request.urlopen(f"{url}/health", timeout=20) as response:
        assert json.load(response) == {"state": "ready", "reasons": []}
    head = urllib.request.Request(f"{url}/health", method="HEAD")
    with urllib.request.urlopen(head, timeout=20) as response:
        assert (response.status, response.read()) == (200, b"")


def test_http_clients_that_send_nothing_leave_dicom_alone(server, url, connect):
    """They may keep others from /metrics for a while, and that is all."""
    host, port = url.removeprefix("http://").split(":")
    crowd = [socket.create_connection((host, int(port)), 20) for _ in range(100)]
    try:
        peer = connect(server.address)
        peer.associate(*CONTEXTS, calling="CT01")
        assert peer.echo(3) == 0
        peer.release()
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            samples(url)
    finally:
        for each in crowd:
            each.close()
    until(lambda: _is_reached(url), "the crowd has left")


def _is_reached(url):
    try:
        return samples(url)
    except (urllib.error.URLError, ConnectionError):
        return None
