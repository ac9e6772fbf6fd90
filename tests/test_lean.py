"""The server is spared what only the processes that decode have a use for."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    *("numpy", "pylibjpeg", "libjpeg", "openjpeg", "rle", "sdcc.conversion.pixels"),
    *("prometheus_client", "twisted.conch", "twisted.web"),
)
PROGRAM = """
import sys, {module}
print([name for name in {heavy} if sys.modules.get(name)])
"""


def imported(module, *more):
    program = PROGRAM.format(module=module, heavy=(*HEAVY, *more))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_server_imports_neither_numpy_nor_a_decoder_nor_what_only_some_configure():
    assert imported("sdcc.tap") == "[]"


@pytest.mark.parametrize("name", ["PIL", "gdcm", "jpeg_ls"])
def test_the_server_does_not_import_what_somebody_else_has_installed(tmp_path, monkeypatch, name):
    (tmp_path / f"{name}.py").write_text("open(__file__ + '.imported', 'w').close(); raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    imported("sdcc.tap")
    assert not (tmp_path / f"{name}.py.imported").exists()
    imported("pydicom.pixels, pydicom.pixel_data_handlers.jpeg_ls_handler")
    assert (tmp_path / f"{name}.py.imported").exists(), "as pydicom does by itself"


def test_the_server_imports_openssl_where_tls_is_configured_alone():
    assert imported("sdcc.tap, twisted.internet.reactor", "OpenSSL", "cryptography") == "[]"
    program = """
import sys, sdcc.tap, twisted.internet.reactor
from sdcc.network.security import security
security(None, None, None)
assert sys.modules["OpenSSL"]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_study_can_be_posted_over_https_by_a_server_without_tls():
    """What Twisted imported without OpenSSL goes on without it."""
    program = """
import sys, sdcc.tap
from twisted.internet import reactor
from sdcc.completion.post import Post
assert not sys.modules["OpenSSL"]
failed = Post("https://127.0.0.1:1/", reactor)._agent.request(b"GET", b"https://127.0.0.1:1/")
failed.addErrback(lambda failure: print(failure.type.__name__)).addBoth(lambda _: reactor.stop())
reactor.run()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "ConnectionRefusedError\n"


def test_sdccctl_imports_neither_numpy_nor_openssl():
    """Each of its calls would wait for them."""
    assert imported("sdcc.control", "OpenSSL", "cryptography") == "[]"


@pytest.mark.parametrize("before", ["numpy", "pydicom"])
def test_who_has_imported_them_before_keeps_them(before):
    """As the tests do, which look at images in the process that imports the server."""
    program = f"import {before}, sdcc.tap, numpy, pydicom.pixels; numpy.zeros(1)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_process_that_decodes_imports_all_of_them():
    assert "numpy" in imported("sdcc.conversion.__main__")
