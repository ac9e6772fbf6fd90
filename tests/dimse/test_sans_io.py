"""The layers below the services have no Twisted in them."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
import sdcc.dimse, sdcc.upper_layer
modules = [
    importlib.import_module(module.name)
    for package in (sdcc.dimse, sdcc.upper_layer)
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + ".")
]
print(len(modules))
print(sorted(name for name in sys.modules if name.split(".")[0] in ("twisted", "zope", "pydicom", "asyncio")))
"""


def test_no_twisted_is_imported():
    """Every module of `upper_layer` and `dimse`, in a fresh interpreter."""
    program = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    count, names = program.stdout.splitlines()
    assert int(count) >= 4
    assert names == "[]"
