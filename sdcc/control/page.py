"""The page about `sdccctl`, made from its help: `python -m sdcc.control.page > docs/sdccctl.rst`.

docutils makes a page for man(1) of it: `rst2man docs/sdccctl.rst sdccctl.1`.
"""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator, Mapping

from sdcc.control import parser

BEGINNING = """\
=======
sdccctl
=======

---------------------------------
look after SDCC, a DICOM server
---------------------------------

:Manual section: 1

.. Made by python -m sdcc.control.page; a test holds it to the program.

Synopsis
========

``sdccctl [--config FILE] COMMAND ...``

Description
===========

``sdccctl`` is the tool of an administrator of SDCC. Give it the configuration that the server runs with.
Where none is given every default holds, and relative paths start at the current directory.
"""

AFTER_OPTIONS = """\
Exit codes
==========

0
    Done, or yes.
1
    Failed, or no.
2
    Not tried, because of the arguments or the configuration.
130
    Interrupted by Ctrl-C.

JSON
====

With ``--json`` a command prints a JSON object, or an object a line where it lists several things. Errors
stay sentences on standard error. What there was before a failure has been printed then.

Servers that run
================

``status``, ``associations``, ``abort``, ``drain``, ``reload``, ``remotes``, ``limits``, ``log-level`` and
``explain --live`` ask the server that runs, over a socket ``control`` in its folder under ``incoming`` in
the storage directory. Only root and the user that the server runs as may ask. The other commands need no
server, and disturb none.

Several processes may share a storage directory. Each of them is asked, one after the other, or with
``--process NAME`` one alone. Only ``abort`` and ``explain --live`` must be told which, where several run. A
process that was killed, or runs on another host, is named on standard error: it can be asked on its own
host only.

Commands
========
"""

#: Of the lines.
WIDTH = 115
#: What would be more than itself in reStructuredText.
_SPECIAL = re.compile(r"[*|@\\]|_(?!\w)")


def page() -> str:
    """reStructuredText."""
    top = parser()
    parts = [BEGINNING, "Options\n=======\n", *_options(top), AFTER_OPTIONS]
    for name, command in _commands(top).items():
        parts += [f"{name}\n{'-' * len(name)}\n", *_command(command)]
    return "\n".join(parts)


def _commands(top: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    (commands,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    return commands.choices


def _command(command: argparse.ArgumentParser) -> Iterator[str]:
    yield f"``{' '.join([command.prog, *map(_usage, _shown(command))])}``\n"
    paragraphs = (command.description or "").split("\n\n")
    for paragraph, following in zip(paragraphs, [*paragraphs[1:], ""], strict=True):
        if paragraph.startswith("    "):
            yield f"{paragraph}\n"
        else:
            words = _words(" ".join(paragraph.split())).removesuffix(".")
            end = "::" if following.startswith("    ") else "."
            yield f"{textwrap.fill(f'{words[0].upper()}{words[1:]}{end}', WIDTH)}\n"
    yield from _options(command)


def _shown(command: argparse.ArgumentParser) -> list[argparse.Action]:
    """Its arguments, and then its options, but for --help."""
    actions = [
        action
        for action in command._actions
        if not isinstance(action, (argparse._HelpAction, argparse._SubParsersAction))
    ]
    return sorted(actions, key=lambda action: bool(action.option_strings))


def _name(action: argparse.Action) -> str:
    value = action.metavar or action.dest
    if not action.option_strings:
        return str(value)
    option = action.option_strings[-1]
    return option if action.nargs == 0 else f"{option} {action.metavar or action.dest.upper()}"


def _usage(action: argparse.Action) -> str:
    name = _name(action)
    if action.nargs == "+":
        return f"{name}..."
    if action.nargs == "*":
        return f"[{name}...]"
    is_needed = action.required if action.option_strings else action.nargs != "?"
    return name if is_needed else f"[{name}]"


def _options(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in _shown(command):
        name = _name(action) if action.option_strings else f"``{_name(action)}``"
        words = (action.help or "") % vars(action)
        if action.choices and not action.metavar:
            words = f"{words}: {', '.join(action.choices)}"
        yield f"{name}\n{textwrap.indent(textwrap.fill(_words(words), WIDTH - 4), '    ')}\n"


def _words(text: str) -> str:
    """Words of the help, where what stands in backticks is to be typed or read as it is."""
    parts = text.split("`")
    parts[::2] = [_SPECIAL.sub(r"\\\g<0>", part) for part in parts[::2]]
    return "``".join(parts)


if __name__ == "__main__":
    print(page(), end="")
