"""One Python expression: what it gives in writing, for the prompt and for `ssh … 'status()'` alike."""

from __future__ import annotations

import io
import traceback
from contextlib import redirect_stdout
from typing import Any

from twisted.internet.defer import Deferred

from sdcc.interfaces.administration import CannotDo

NAME = "<manhole>"


async def evaluated(expression: str, namespace: dict[str, Any]) -> tuple[str, str, int]:
    """What it prints and gives; what there is to say of its failure; and the exit code, 0 or 1."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            value = eval(compile(expression.strip(), NAME, "eval"), namespace)  # what it is for
        if isinstance(value, Deferred):
            value = await value
    except BaseException as error:  # the boundary: also a SystemExit must not leave it
        return printed.getvalue(), sentence(error), 1
    return printed.getvalue() + (f"{value!r}\n" if value is not None else ""), "", 0


def sentence(error: BaseException) -> str:
    """A failure as an administrator is shown it: why something cannot be done, else where the code failed."""
    if isinstance(error, CannotDo):
        return f"{error}\n"
    # below the frames of this room and of conch, which nobody at a prompt has written
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not f.filename.endswith(_OURS)]
    told = traceback.TracebackException.from_exception(error)
    told.stack = traceback.StackSummary.from_list(frames)
    return "".join(told.format())


_OURS = (
    "manhole/commands.py",
    "manhole/expression.py",
    "manhole/prompt.py",
    "twisted/internet/defer.py",
    "conch/manhole.py",
    "code.py",
)
