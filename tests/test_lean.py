"""The server is spared what only the processes that decode have a use for."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("twisted.web", "numpy", "pylibjpeg", "libjpeg", "openjpeg", "rle", "sdcc.conversion.pixels")
PROGRAM = """
import sys, {module}
print([name for name in {heavy} if sys.modules.get(name)])
"""


def imported(module):
    program = PROGRAM.format(module=module, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_server_imports_neither_numpy_nor_a_decoder_nor_what_speaks_http():
    assert imported("sdcc.tap") == "[]"


@pytest.mark.parametrize("before", ["numpy", "pydicom"])
def test_who_has_imported_them_before_keeps_them(before):
    """As the tests do, which look at images in the process that imports the server."""
    program = f"import {before}, sdcc.tap, numpy, pydicom.pixels; numpy.zeros(1)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_process_that_decodes_imports_all_of_them():
    assert "numpy" in imported("sdcc.conversion.__main__")
