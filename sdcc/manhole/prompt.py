"""The prompt: conch's line editor and interpreter, showing results as an administrator reads them."""

from __future__ import annotations

import os.path
from collections.abc import Callable
from typing import Any, cast

from twisted.conch.manhole import Manhole, ManholeInterpreter
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sdcc import __version__
from sdcc.manhole.expression import NAME, sentence
from sdcc.manhole.quiet import QUIET

GREETING = f"SDCC {__version__}. help() lists what there is; Ctrl-D ends the session.\n"
#: Lines that are remembered for the arrow keys.
MAXIMUM_HISTORY = 200


class Interpreter(ManholeInterpreter):
    """Of one prompt."""

    def runcode(self, code: Any) -> None:
        try:
            super().runcode(code)
        except SystemExit:
            self.handler.handle_QUIT()

    def excepthook(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        self.write(sentence(error))

    def displayhook(self, value: Any) -> None:
        """What is still to come is shown when it has come, and is `_` then."""
        if isinstance(value, Deferred):
            is_at_once = True

            def show(result: Any) -> None:
                text = (
                    sentence(cast(BaseException, result.value))
                    if isinstance(result, Failure)
                    else self._remembered(result)
                )
                self.handler.addOutput(text, not is_at_once)

            value.addBoth(show)
            is_at_once = False
        else:
            self.write(self._remembered(value))

    def _remembered(self, value: Any) -> str:
        if value is None:
            return ""
        self.locals["_"] = value
        return f"{value!r}\n"


class Prompt(Manhole):
    """
    :param namespace: what is known at it.
    :param typed: is told of each line.
    :param finish: closes the session.
    """

    _log = QUIET

    def __init__(
        self, namespace: dict[str, Any], typed: Callable[[str], None], finish: Callable[[], None]
    ) -> None:
        super().__init__(namespace)
        self._typed = typed
        self._finish = finish
        self._is_open = True

    def connectionMade(self) -> None:
        super().connectionMade()
        self.interpreter = Interpreter(self, self.namespace, NAME)

    def connectionLost(self, reason: object) -> None:
        self._is_open = False

    def initializeScreen(self) -> None:
        """conch would clear it, and what was on it before."""
        self.terminal.write(GREETING)
        self.terminal.write(self.ps[self.pn])
        self.setInsertMode()

    def terminalSize(self, width: int, height: int) -> None:
        """Nor is it cleared when it changes."""
        self.width, self.height = width, height

    def addOutput(self, data: str, isAsync: bool | None = None) -> None:
        """What comes late stands above the line that is being typed, or comes too late.

        conch's own way of this fails where such a line has letters.
        """
        if not self._is_open:
            return
        if not isAsync:
            super().addOutput(data)
            return
        line, index = b"".join(self.lineBuffer), self.lineBufferIndex
        self.terminal.eraseLine()
        self.terminal.cursorBackward(index + len(self.ps[self.pn]))
        self.terminal.write(data)
        self.terminal.write(self.ps[self.pn])
        self.lineBuffer, self.lineBufferIndex = [], 0
        self._deliverBuffer(line)
        if index < len(line):
            self.terminal.cursorBackward(len(line) - index)
            self.lineBufferIndex = index

    def lineReceived(self, line: bytes) -> None:
        del self.historyLines[:-MAXIMUM_HISTORY]
        self.historyPosition = len(self.historyLines)
        text = line.decode("utf-8", "replace")
        if text.strip():
            self._typed(text)
        if text.strip() in ("exit", "quit"):
            self.handle_QUIT()
            return
        more = self.interpreter.push(text.encode())
        self.pn = bool(more)
        if self._is_open:
            if self._needsNewline():
                self.terminal.nextLine()
            self.terminal.write(self.ps[self.pn])

    def handle_QUIT(self) -> None:
        """Without conch's reset of the terminal, which would clear the screen."""
        if self._is_open:
            self._is_open = False
            self.terminal.nextLine()
            self.terminal.resetModes([4])
            self._finish()

    def handle_TAB(self) -> None:
        """Complete the name before the cursor as far as it is certain; what it may be is shown below."""
        before, _ = self.currentLineBuffer()
        name = before.decode("utf-8", "replace")
        word = name[len(name.rstrip("abcdefghijklmnopqrstuvwxyz_")) :]
        names = sorted(n for n in self.interpreter.locals if n.startswith(word) and not n.startswith("__"))
        if not word or not names:
            return
        certain = os.path.commonprefix(names)  # noqa: RUF071  # of letters, which is wanted here
        for letter in certain[len(word) :]:
            self.characterReceived(letter.encode(), False)
        if len(names) > 1:
            self.addOutput("\n" + "  ".join(names) + "\n", True)
