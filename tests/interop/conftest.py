"""Servers to test over real sockets, and the peers that call them."""

from __future__ import annotations

import contextlib

import pytest

from .peers import requested
from .server import CONFIGURATION, running, until
from .wire import Peer


def pytest_generate_tests(metafunc):
    """The tests of a module that says ON_EVERY_INDEX hold whatever the server's index is on."""
    if "index" in metafunc.fixturenames and getattr(metafunc.module, "ON_EVERY_INDEX", False):
        metafunc.parametrize("index", ["sqlite", "postgresql"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def index(request):
    """What the configuration of the module's server says of the index."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield ""
    else:
        server = request.getfixturevalue("postgresql")
        with server.database() as name:
            yield f'[index]\nurl = "{server.url(name)}"\n'


@pytest.fixture(scope="module")
def configuration(index):
    """What the module's server is configured with; a module may have its own."""
    return index + CONFIGURATION


@pytest.fixture(scope="module")
def server(tmp_path_factory, configuration):
    """The module's server, which must stop in order when the module's tests are done."""
    with running(tmp_path_factory.mktemp("server"), configuration) as server:
        until(lambda: server.takes_objects, "objects are taken")
        yield server


@pytest.fixture
def start(tmp_path):
    """Starts a server of the test's own, which must stop in order when the test is done."""
    with contextlib.ExitStack() as servers:

        def start(configuration=CONFIGURATION, *, directory=tmp_path, **options):
            return servers.enter_context(running(directory, configuration, **options))

        yield start


@pytest.fixture
def connect():
    """Opens connections whose bytes the test makes itself."""
    with contextlib.ExitStack() as peers:
        yield lambda address, **options: peers.enter_context(Peer(address, **options))


@pytest.fixture
def associate():
    """Requests associations with pynetdicom; one that is still open at the end is released.

    Contexts are (Abstract Syntax, [Transfer Syntax …]) each.
    """
    associations = []

    def associate(server, *contexts, **options):
        associations.append(requested(server.address, contexts, **options))
        return associations[-1]

    yield associate
    for association in associations:
        association.release()
