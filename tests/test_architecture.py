"""The house keeps its order: who may import whom, read in the source and not seen in what happens to run."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatch
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sdcc

SDCC = Path(sdcc.__file__).parent
ARCHITECTURE = Path(__file__).parent.parent / "docs" / "architecture.rst"
MODULES = {path.relative_to(SDCC).as_posix(): path for path in sorted(SDCC.rglob("*.py"))}

#: What each room, which is a module or package right below `sdcc`, may import of the others.
ROOMS = {
    "administration": {
        *("archive", "config", "conformance", "interfaces", "network", "printable", "uid", "upper_layer"),
    },
    "conformance": set(),
    "health": set(),
    "interfaces": {"queries"},
    "allowance": set(),
    "audit": {"allowance", "config", "dimse", "interfaces"},
    "lean": set(),
    "queries": set(),
    "signals": set(),
    "pauses": set(),
    "printable": set(),
    "restructuredtext": set(),
    "statement_retrieval_text": set(),
    "statement_text": {"statement_retrieval_text"},
    "threads": set(),
    "tls": {"config", "interfaces"},
    "uid": set(),
    "standard_classes": {"conformance"},
    "config": {"conformance", "standard_classes", "uid"},
    "statement": {
        *("config", "conformance", "restructuredtext", "statement_query", "statement_security"),
        "statement_text",
    },
    "statement_security": {"config", "restructuredtext"},
    "statement_query": {"indexed", "queries", "restructuredtext", "services"},
    "upper_layer": {"conformance"},
    "dimse": {"conformance", "upper_layer"},
    "indexed": {"interfaces"},
    "data_set": {"conformance", "uid"},
    "services": {
        *("conformance", "data_set", "dimse", "indexed", "interfaces", "pauses", "queries", "uid"),
        "upper_layer",
    },
    "completion": {"config", "interfaces", "lean", "pauses"},
    "metrics": {"dimse", "health", "interfaces", "network"},
    "network": {
        *("allowance", "config", "conformance", "dimse", "interfaces", "lean", "printable", "services"),
        *("tls", "upper_layer"),
    },
    "conversion": {"archive", "conformance", "data_set", "interfaces"},
    "archive": {"conformance", "data_set", "indexed", "interfaces", "printable", "uid"},
    "index": {"conformance", "interfaces", "queries"},
    "manhole": {"config", "interfaces", "network", "printable"},
    "inspection": {"archive", "interfaces", "printable"},
    "world": {
        *("administration", "archive", "config", "conversion", "index", "interfaces", "network", "signals"),
        "threads",
    },
    "parts": {
        *("administration", "archive", "audit", "completion", "config", "conformance", "conversion"),
        *("inspection", "interfaces", "metrics", "network", "services", "threads", "tls", "world"),
    },
    "reloading": {"config", "interfaces"},
    "ports": {"administration", "config", "network", "world"},
    "doors": {
        *("administration", "config", "health", "interfaces", "manhole", "metrics", "network", "parts"),
        *("threads", "world"),
    },
    "service": {
        *("config", "doors", "health", "inspection", "interfaces", "logs", "parts", "ports", "reloading"),
        *("signals", "tls", "world"),
    },
    "logs": {"config", "printable"},
    "logged": {"config", "logs", "service"},
    "tap": {"config", "lean", "logged", "logs", "service", "world"},
    "control": {
        *("administration", "archive", "config", "conformance", "dimse", "index", "inspection", "interfaces"),
        *("lean", "manhole", "network", "printable", "service", "statement", "threads", "tls", "uid"),
        *("upper_layer", "world"),
    },
}

#: What only these modules import.
RESERVED = {
    "OpenSSL": ("network/secure.py", "tls/*.py"),
    "asyncio": (),
    "cryptography": ("manhole/host_key.py", "tls/*.py"),
    "mmap": ("conversion/*.py",),
    "numpy": ("conversion/pixels.py",),
    "prometheus_client": ("metrics/collector.py", "metrics/pages.py"),
    "psycopg2": ("index/postgres_driver.py",),
    "pydicom.pixels": ("conversion/pixels.py",),
    "service_identity": ("network/secure.py",),
    "sqlite3": ("index/sqlite*.py",),
    "tqdm": ("control/progress.py",),
    "tomllib": ("config/loading.py",),
    "twisted.application": ("logged.py", "service.py", "tap.py"),
    "twisted.conch": ("control/shell.py", "manhole/*.py"),
    "twisted.cred": ("manhole/login.py",),
    "twisted.internet.endpoints": ("audit/lines.py", "completion/post.py", "network/*.py"),
    "twisted.internet.protocol": (
        *("administration/control_socket.py", "audit/lines.py", "completion/command.py"),
        *("completion/post.py", "conversion/child.py", "metrics/site.py", "network/*.py", "ports.py"),
    ),
    "twisted.internet.reactor": ("tap.py",),
    "twisted.internet.threads": ("threads.py",),
    "twisted.web": ("completion/post.py", "metrics/site.py"),
    "txpostgres": ("index/postgres_driver.py",),
}

#: What the rooms that are functions of bytes have no use for.
INPUT_AND_OUTPUT = (
    *("asyncio", "io", "os", "pathlib", "select", "selectors", "shutil", "socket", "ssl", "subprocess"),
    *("datetime", "pydicom", "random", "secrets", "threading", "time", "twisted", "zope"),
)


def imports(source):
    """The dotted names that a module imports, of the names in a package each by itself."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = "." * node.level + (node.module or "")
            found |= {f"{package}.{alias.name}" for alias in node.names}
    return found


def lies_in(name, package):
    return name == package or name.startswith(f"{package}.")


def room(module):
    return module.partition("/")[0].removesuffix(".py")


def faults(module, source):
    """What a module imports and may not."""
    own, found = room(module), []
    for name in sorted(imports(source)):
        if name.startswith("."):
            found.append(f"{name} is relative")
        other = name.split(".")[1] if name.startswith("sdcc.") else own
        if other not in {own, "__version__", *ROOMS[own]}:
            found.append(f"{name}: {own} must not know {other}")
        if own in ("upper_layer", "dimse") and any(lies_in(name, package) for package in INPUT_AND_OUTPUT):
            found.append(f"{name}: {own} is a function of bytes")
        for package, modules in RESERVED.items():
            if lies_in(name, package) and not any(fnmatch(module, pattern) for pattern in modules):
                found.append(f"{name} is for {' and '.join(modules) or 'nobody'}")
    return found


@pytest.mark.parametrize("module", [module for module in MODULES if module != "__init__.py"])
def test_a_module_imports_only_what_it_may(module):
    assert faults(module, MODULES[module].read_text("utf-8")) == []


def test_sdcc_itself_imports_nothing():
    """Whoever needs the version only pays for no more."""
    assert imports(MODULES["__init__.py"].read_text("utf-8")) == set()


def test_every_room_is_known():
    assert {room(module) for module in MODULES} - {"__init__"} == ROOMS.keys()


def test_the_documentation_has_every_room():
    """In the first table of docs/architecture.rst: those that a newcomer looks for."""
    table = (
        ARCHITECTURE.read_text("utf-8").partition("\nThe rooms\n")[2].partition("\nImports point one way")[0]
    )
    named = {name.removesuffix(".py") for name in re.findall(r"``(\w+(?:\.py)?)``", table)}
    assert ROOMS.keys() - named == set()
    assert {
        name.removesuffix(".py") for name in re.findall(r"^``([\w.]+)``", table, re.MULTILINE)
    } <= ROOMS.keys()


def test_imports_point_one_way():
    """No two rooms need each other, however far round; and the layers lie as they should."""
    order = list(TopologicalSorter(ROOMS).static_order())
    ladder = ["upper_layer", "dimse", "services", "network", "parts", "service", "tap"]
    assert sorted(ladder, key=order.index) == ladder


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("upper_layer/pdu.py", "import sdcc.dimse.command"),
        ("upper_layer/machine.py", "from twisted.logger import Logger"),
        ("dimse/command.py", "import time"),
        ("services/storage.py", "from sdcc.archive.objects import ObjectStore"),
        ("services/storage.py", "from sdcc import index"),
        ("archive/objects.py", "from sdcc.network import limits"),
        ("index/sqlite.py", "def later():\n    from sdcc.services import registry"),
        ("index/sqlite.py", "import txpostgres"),
        ("network/server.py", "from twisted.internet import reactor"),
        ("network/server.py", "import twisted.internet.reactor as reactor"),
        ("network/server.py", "from . import limits"),
        ("archive/space.py", "from twisted.internet.protocol import Protocol"),
        ("service.py", "from sdcc.tap import Options"),
    ],
)
def test_a_breach_is_seen(module, source):
    assert len(faults(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("index/postgres_driver.py", "import psycopg2.extensions\nfrom txpostgres import txpostgres"),
        ("tap.py", "def make():\n    from twisted.internet import reactor"),
        ("network/server.py", "from sdcc import __version__\nfrom sdcc.network.limits import Slot"),
    ],
)
def test_what_is_allowed_is_no_breach(module, source):
    assert faults(module, source) == []
