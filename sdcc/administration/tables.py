"""Answers to the administrator as text for terminals.

From plain JSON values, which may come from another process; :func:`shown` is all that its users need. Times
are UTC and say so, sizes are shortened, columns are as wide as what is in them. No character of a stranger's
AE title can steer a terminal.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sdcc.interfaces.administration import Facts
from sdcc.printable import byte_count, printable


def shown(command: str, result: Any) -> str:
    """What a command of :data:`sdcc.administration.commands.COMMANDS` has given; no line feed at the end."""
    return TABLES[command](result)


# --- the commands ----------------------------------------------------------------------------


def status(facts: Facts) -> str:
    associations = facts["associations"]
    lines = [
        ("state", facts["state"]),
        *(("", reason) for reason in facts["reasons"]),
        ("version", facts["version"]),
        ("process", facts["process"]),
        ("configuration", facts["configuration"] or "no file: every default"),
        ("started", f"{time(facts['started_at'])} UTC, {span(facts['uptime'])} ago"),
        *(_port(port) for port in facts["ports"]),
        ("associations", f"{associations['open']} open of {associations['maximum']}"),
        ("operations", f"{facts['operations']} under way"),
        ("waiting", f"{byte_count(facts['waiting_bytes'])} to be written"),
        ("disk", _disk(facts)),
        ("objects", _refusable(facts["directory"], facts["storage_refusal"])),
        ("index", _refusable(facts["index"], facts["index_refusal"])),
    ]
    return pairs(lines)


def _port(port: Facts) -> tuple[str, str]:
    interface = f"[{port['interface']}]" if ":" in port["interface"] else port["interface"]
    secure = ", TLS" if port["tls"] else ""
    return "port", f"{interface}:{port['port']} for {', '.join(port['ae_titles'])}{secure}"


def _disk(facts: Facts) -> str:
    free, floor = facts["free_bytes"], facts["minimum_free"]
    known = "free space is not known" if free is None else f"{byte_count(free)} free"
    return f"{known}; {byte_count(floor)} must be" if floor else known


def _refusable(name: str, refusal: str | None) -> str:
    return f"{name}; refused: {refusal}" if refusal else name


def associations(rows: list[Facts]) -> str:
    if not rows:
        return "no association is open"
    return table(
        (">no.", "calling", "called", "address", "opened (UTC)", ">ended", ">bytes", ">waiting", "doing"),
        [
            (
                row["number"],
                f"{row['calling_ae']}{' (ours)' if row['is_ours'] else ''}",
                row["called_ae"],
                f"{row['address']}{' (TLS)' if row['is_secure'] else ''}",
                time(row["opened_at"]),
                row["operations"],
                byte_count(row["bytes"]),
                byte_count(row["waiting_bytes"]),
                row["doing"] or "-",
            )
            for row in rows
        ],
    )


def abort(facts: Facts) -> str:
    return f"association {facts['aborted']} is aborted"


def remotes(rows: list[Facts]) -> str:
    if not rows:
        return "the configuration has no [[remote]]"
    return table(
        ("AE title", "address", ">port", "TLS", ">open", ">at most", "services"),
        [
            (
                row["ae_title"],
                row["address"],
                row["port"] or "-",
                "yes" if row["tls"] else "no",
                row["open"],
                row["max_associations"] or "-",
                ", ".join(row["services"]) or "none",
            )
            for row in rows
        ],
    )


def limits(rows: list[Facts]) -> str:
    return table(
        (">used", ">limit", "of"),
        [
            (
                "-" if row["used"] is None else _amount(row["used"], row),
                _amount(row["limit"], row),
                row["name"],
            )
            for row in rows
        ],
    )


def _amount(count: int, row: Facts) -> str:
    return byte_count(count) if row["unit"] == "bytes" else str(count)


def reload(facts: Facts) -> str:
    changed, later = facts["changed"], facts["after_restart"]
    lines = [
        *(("changed", key) for key in changed),
        *(("after a restart", key) for key in later),
    ]
    return pairs(lines) if lines else "nothing has changed"


def drain(facts: Facts) -> str:
    return f"{facts['state']}, associations open: {facts['open']}"


def log_level(rows: list[Facts]) -> str:
    return table(("logger", "level"), [(row["name"], row["level"]) for row in rows])


def explain(facts: Facts) -> str:
    answer = facts["answer"]
    if facts["context_result"]:
        answer += f", context result {facts['codes']} ({facts['context_result']})"
    elif facts["codes"]:
        answer += f" {facts['codes']}"
    lines = [f"{answer}: {facts['rule']}" if facts["rule"] else answer]
    if facts["but"]:
        lines.append(f"but {facts['but']}")
    return "\n".join(map(printable, lines))


TABLES: Mapping[str, Callable[[Any], str]] = {
    "status": status,
    "associations": associations,
    "abort": abort,
    "remotes": remotes,
    "limits": limits,
    "reload": reload,
    "drain": drain,
    "log_level": log_level,
    "explain": explain,
}

# --- their cells -----------------------------------------------------------------------------


def time(text: str) -> str:
    """Of ISO 8601, in UTC, to the second."""
    return f"{datetime.datetime.fromisoformat(text).astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S}"


def span(seconds: float) -> str:
    """Seconds in the two largest units: `3 d 4 h`."""
    left, parts = int(seconds), list[str]()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as their cells; those whose name begins with ">" stand to the right."""
    names = [name.removeprefix(">") for name in header]
    lines = [names, *([printable(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    to_right = [name.startswith(">") for name in header]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, to_right, strict=True)
        ).rstrip()
        for line in lines
    )


def pairs(lines: Sequence[tuple[str, str]]) -> str:
    """A name and what it is, a line each."""
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:{width}}  {printable(text)}".rstrip() for name, text in lines)
