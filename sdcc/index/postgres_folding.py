"""Names as they are compared, made for the rows of a PostgreSQL database that is upgraded.

Within a transaction that another begins and ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sdcc.index.folding import FOLDED_NAMES, PATIENT_NAME_GROUPS, folded_names, folded_patient_name
from sdcc.index.postgres_session import Session

#: Rows in one statement.
PAGE = 1000


async def fold_names(session: Session) -> None:
    """Fill the folded columns of version 2 from the names of version 1."""
    await _fold(
        session,
        "study",
        ("patient_name", "referring_physician_name"),
        (*PATIENT_NAME_GROUPS, FOLDED_NAMES["referring_physician_name"]),
        lambda names: (*folded_patient_name(names[0]), folded_names(names[1])),
    )
    names = "performing_physician_name", "operators_name"
    await _fold(
        session,
        "series",
        names,
        tuple(FOLDED_NAMES[name] for name in names),
        lambda names: tuple(map(folded_names, names)),
    )


async def _fold(
    session: Session,
    table: str,
    names: Sequence[str],
    folded: Sequence[str],
    fold: Callable[[Sequence[Any]], Sequence[str | None]],
) -> None:
    page = (
        f"SELECT {table}_key, {', '.join(names)} FROM {table} WHERE {table}_key > %s ORDER BY 1 LIMIT {PAGE}"
    )
    update = (
        f"UPDATE {table} SET {', '.join(f'{name} = given.{name}' for name in folded)}"
        f" FROM unnest(%s::bigint[]{', %s::text[]' * len(folded)}) AS given (key, {', '.join(folded)})"
        f" WHERE {table}_key = given.key"
    )
    after = 0
    while rows := await session.run(page, after):
        after = rows[-1][0]
        columns = zip(*(fold(row[1:]) for row in rows), strict=True)
        await session.run(update, [row[0] for row in rows], *map(list, columns))
