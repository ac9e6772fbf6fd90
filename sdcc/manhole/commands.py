"""The names that a prompt knows: those of IAdministration, and help.

A result is the plain data that the contract has, and shows itself as a table.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_type_hints

from twisted.internet.defer import ensureDeferred

from sdcc.interfaces.administration import IAdministration

INDENT = "    "
#: Shows what a method of IAdministration, by its name, has given.
Shown = Callable[[str, Any], str]

#: Method to how it is called, and what it is for.
COMMANDS = {
    "status": ("status()", "The server in one look: its state and why, ports, associations, disk and index."),
    "associations": (
        "associations()",
        "The associations that are open, with what each of them is doing. abort(number) ends one.",
    ),
    "abort": (
        "abort(number)",
        "Abort an association that a peer has opened, by its number in associations().",
    ),
    "remotes": (
        "remotes()",
        "Each [[remote]] that the server knows, with how many associations it has open.",
    ),
    "limits": ("limits()", "Each limit of the configuration, with what is used of it."),
    "reload": (
        "reload()",
        "Read the configuration file again. What may change at once does; a file that cannot be used changes "
        "nothing. Open associations stay as they are.",
    ),
    "drain": (
        "drain(is_on=True)",
        "Let no new association in and end those that are open as they become idle. drain(False) ends that.",
    ),
    "log_level": (
        "log_level(name='', level='')",
        "Set the level of a logger until the next reload: debug, info, warn, error or critical. 'sdcc' is "
        "above all of them. Without a level it only shows.",
    ),
    "explain": (
        "explain(calling, called, address, abstract='', transfer_syntax='', port=0)",
        "How an association from that AE title and address would be answered now, and by which rule.",
    ),
}
ENDING = """\
A result is plain data as well: status()["associations"], [a for a in associations() if a["bytes"]].
_ is the last one. An answer that takes its time is shown when it is there.
exit or Ctrl-D ends the session. The rest is Python, in the server itself: what blocks here blocks everybody.
"""


class ShownObject(dict[str, Any]):
    """A JSON object that is shown as a table."""

    table: str

    def __repr__(self) -> str:
        return self.table


class ShownArray(list[Any]):
    """A JSON array that is shown as a table."""

    table: str

    def __repr__(self) -> str:
        return self.table


class Text(str):
    """Text that is shown as it is."""

    def __repr__(self) -> str:
        return str(self).rstrip("\n")


class Command:
    """A method of the administration; without its parentheses it shows what it is for."""

    def __init__(self, name: str, method: Callable[..., Any], shown: Shown) -> None:
        self.__name__ = name
        self.usage, self._purpose = COMMANDS[name]
        self.__doc__ = self._purpose
        self._method = method
        self._shown = shown

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """A Deferred where the administration gives a coroutine.

        :raises TypeError: these are not its arguments; the text shows how it is called.
        """
        try:
            self._check(inspect.signature(self._method).bind(*arguments, **named).arguments)
        except TypeError as error:
            raise TypeError(f"{error}; write {self.usage}") from None
        result = self._method(*arguments, **named)
        if inspect.isawaitable(result):
            return ensureDeferred(self._later(result))
        return self._as_table(result)

    def _check(self, arguments: Mapping[str, object]) -> None:
        """Of types alone, as the control socket does: "off" is true, and drain("off") would drain."""
        kinds = get_type_hints(self._method)
        for name, value in arguments.items():
            kind = kinds.get(name)
            if kind in (bool, int, str) and type(value) is not kind:
                raise TypeError(f"{name} is {value!r}, which is no {kind.__name__}")

    async def _later(self, result: Any) -> Any:
        return self._as_table(await result)

    def _as_table(self, result: Any) -> Any:
        shown = ShownObject(result) if isinstance(result, dict) else ShownArray(result)
        shown.table = self._shown(self.__name__, result)
        return shown

    def __repr__(self) -> str:
        purpose = textwrap.fill(self._purpose, 78, initial_indent=INDENT, subsequent_indent=INDENT)
        return f"{self.usage}\n{purpose}"


class Help:
    """`help()` lists the names, `help(name)` says what one of them is for."""

    usage = "help(name)"

    def __init__(self, commands: Iterable[Command]) -> None:
        self._commands = tuple(commands)

    def __call__(self, thing: Any = None) -> Text:
        if thing is not None:
            return Text(
                repr(thing) if isinstance(thing, Command | Help) else inspect.getdoc(thing) or "no help"
            )
        return Text("\n".join(repr(command) for command in self._commands) + f"\n\n{ENDING}")

    def __repr__(self) -> str:
        return repr(self())


class Exit:
    """`exit()` ends the session, as Ctrl-D does."""

    def __call__(self) -> None:
        raise SystemExit

    def __repr__(self) -> str:
        return "exit or Ctrl-D ends the session"


def namespace(administration: IAdministration, shown: Shown) -> dict[str, Any]:
    """The names of one prompt."""
    commands = {name: Command(name, getattr(administration, name), shown) for name in COMMANDS}
    return {**commands, "help": Help(commands.values()), "exit": Exit(), "quit": Exit()}
