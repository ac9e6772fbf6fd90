"""The answers to a query, page by page: what both databases have in common of it.

A search begins at the level where an index leads to the fewest rows, and from there goes down, from some rows
to those below them. Each page is a statement of its own: no transaction, and no connection, waits for whoever
takes the matches, and no more than a page of each level is in memory. What is registered meanwhile may be
found or not; an object, series or study that stays is found once.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from sdcc.index import approaches, attributes, matching
from sdcc.index.approaches import Stream
from sdcc.index.attributes import Attribute
from sdcc.index.dialects import Dialect
from sdcc.index.matching import Term
from sdcc.index.rows import LEVELS
from sdcc.queries import Holding, Level, Match, Query

#: Rows of a page, and of the first one, which somebody waits for.
PAGE, FIRST_PAGE = 1000, 50

#: Executes a statement that reads; gives its rows.
Select = Callable[[str, Sequence[object]], Awaitable[Sequence[Sequence[Any]]]]
#: A row's key, what comes before it in the order, and then what is wanted; or how many rows are below it.
Row = Sequence[Any]


async def find(dialect: Dialect, query: Query, select: Select) -> AsyncGenerator[Match | None, None]:
    """See :class:`~sdcc.interfaces.IIndex`.

    :raises ValueError: an attribute is none of the query's level, nor of one above.
    :raises TypeError: an attribute is not matched in this way.
    """
    wanted = attributes.wanted(dialect, query)
    decoders = [
        (name, dialect.decoders[found.type])
        for name, found in wanted.items()
        if found.type in dialect.decoders
    ]
    async for page in _Search(dialect, query, [*wanted.values()], select).pages():
        if not page:
            yield None
        for _, _, *values in page:
            match = dict(zip(wanted, values, strict=True))
            for name, decode in decoders:
                if match[name] is not None:
                    match[name] = decode(match[name])
            yield match


async def holdings(dialect: Dialect, query: Query, select: Select) -> Sequence[Holding]:
    """See :class:`~sdcc.interfaces.IIndex`."""
    wanted = frozenset(("sop_class_uid", "transfer_syntax_uid"))
    counts: Counter[tuple[str, str]] = Counter()
    async for match in find(dialect, dataclasses.replace(query, wanted=wanted), select):
        if match is not None:
            counts[str(match["sop_class_uid"]), str(match["transfer_syntax_uid"])] += 1
    return [
        Holding(sop_class_uid=sop_class_uid, transfer_syntax_uid=transfer_syntax_uid, count=count)
        for (sop_class_uid, transfer_syntax_uid), count in counts.items()
    ]


class _Search:
    """One query's way through the tables, which it knows by their places in LEVELS."""

    def __init__(self, dialect: Dialect, query: Query, wanted: Sequence[Attribute], select: Select) -> None:
        self._dialect = dialect
        self._select = select
        self._wanted = wanted
        self._last = LEVELS.index(attributes.TABLES[query.level])
        #: The highest that something is wanted of.
        self._highest = min((LEVELS.index(each.table) for each in wanted), default=self._last)
        self._finds_patients = query.level is Level.PATIENT
        approach = approaches.best(dialect, query)
        self._streams = approach.streams
        #: All that must hold.
        self._asked: list[Term] = []
        #: Of each table, what the streams do not see to.
        self._conditions: list[list[Term]] = [[] for _ in LEVELS]
        for asked in query.conditions:
            table, term = attributes.condition(dialect, asked, query.level)
            self._asked.append(term)
            if asked is not approach.sees_to:
                # Where rows are looked for has been chosen: no other index is to be walked for this one.
                is_so = Term(matching.judged(term.sql), term.parameters)
                self._conditions[LEVELS.index(table)].append(is_so)

    async def pages(self) -> AsyncIterator[Sequence[Row]]:
        """What is found; an empty page where a statement found nothing."""
        if self._finds_patients:
            # A study that comes meanwhile stands for nobody: its patient has been found, or is yet to be.
            [(newest,)] = await self._select("SELECT coalesce(max(study_key), 0) FROM study", ())
            self._conditions[0].append(attributes.is_last(self._dialect, self._asked, newest))
        for stream in self._streams:
            async for page in self._below(stream, self._last):
                yield page

    async def _below(self, stream: Stream, depth: int) -> AsyncIterator[Sequence[Row]]:
        """What is to be found in a table, the stream's own or one below it."""
        if LEVELS[depth] is stream.table:
            async for page in self._along(stream, depth):
                yield page
            return
        above = f"{LEVELS[depth].table}.{LEVELS[depth - 1].table}_key"
        joined = _joined(depth, self._highest if depth == self._last else depth)
        async for rows in self._below(stream, depth - 1):
            if not rows:
                yield rows
            for keys in _portions(rows):
                limits = [self._still(stream, depth, keys, above), *self._conditions[depth]]
                async for page in self._walk(depth, joined, PAGE, limits, order=above):
                    yield page

    def _still(self, stream: Stream, depth: int, keys: list[int], above: str) -> Term:
        """Of a table, what is below rows that were found in the one above, and match as they did.

        They may have changed since, and SQLite gives the key of a row that was removed to another.
        """
        limits = self._limits(stream, depth - 1) + ([stream.begin] if stream.begin else [])
        if not limits:
            return Term(self._dialect.one_of.format(text=above), (self._dialect.listed(keys),))
        table = LEVELS[depth - 1].table
        of_these = self._dialect.one_of.format(text=f"{table}.{table}_key")
        still = matching.all_of(limits)
        rows = (
            f"SELECT {table}.{table}_key FROM {_joined(depth - 1, 0)}"
            f" WHERE {of_these} AND {matching.judged(still.sql)}"
        )
        parameters = (self._dialect.listed(keys), *still.parameters)
        return Term(self._dialect.one_of_rows.format(text=above, rows=rows), parameters)

    def _limits(self, stream: Stream, depth: int) -> list[Term]:
        """What must hold of a stream's rows, wherever it begins, and of those below them down to a table."""
        return [*stream.limits, *chain.from_iterable(self._conditions[: depth + 1])]

    async def _along(self, stream: Stream, depth: int) -> AsyncIterator[Sequence[Row]]:
        limits = self._limits(stream, depth)
        size = FIRST_PAGE if stream is self._streams[0] else PAGE
        async for page in self._walk(
            depth, _joined(depth, 0), size, limits, order=stream.order, begin=stream.begin
        ):
            yield page

    async def _walk(
        self,
        depth: int,
        joined: str,
        size: int,
        limits: Sequence[Term],
        *,
        order: str | None = None,
        begin: Term | None = None,
    ) -> AsyncIterator[Sequence[Row]]:
        """The rows of a table within limits, in their order.

        :param joined: it, and what of those above it is needed.
        :param size: of the first page.
        :param begin: where the order begins; None: at the first row.
        """
        key = f"{LEVELS[depth].table}.{LEVELS[depth].table}_key"
        mark = self._dialect.mark
        selected = self._selected(depth)
        while True:
            where = matching.all_of([begin, *limits] if begin else limits)
            page = await self._select(
                f"SELECT {key}, {order or 'NULL'}{selected.sql} FROM {joined}"
                f" WHERE {where.sql} ORDER BY {f'{order}, ' if order else ''}{key} LIMIT {size}",
                (*selected.parameters, *where.parameters),
            )
            yield page
            if len(page) < size:
                return
            size = PAGE
            last_key, last_value = page[-1][:2]
            if order is None:
                begin = Term(f"{key} > {mark}", (last_key,))
            else:
                begin = Term(f"({order}, {key}) > ({mark}, {mark})", (last_value, last_key))

    def _selected(self, depth: int) -> Term:
        """What a row has besides, each with a comma before it."""
        if depth == self._last:
            return Term(
                "".join([f", {each.sql}" for each in self._wanted]),
                tuple(value for each in self._wanted for value in each.parameters),
            )
        table, below = LEVELS[depth].table, LEVELS[depth + 1].table
        return Term(f", (SELECT count(*) FROM {below} WHERE {below}.{table}_key = {table}.{table}_key)")


def _joined(depth: int, highest: int) -> str:
    """A table and those above it, up to the highest."""
    table = LEVELS[depth].table
    for above in range(depth - 1, highest - 1, -1):
        table += f" JOIN {LEVELS[above].table} USING ({LEVELS[above].table}_key)"
    return table


def _portions(rows: Sequence[Row]) -> Iterator[list[int]]:
    """The keys of rows with about a page of rows below them."""
    keys: list[int] = []
    below = 0
    for key, _, count in rows:
        if keys and below + count > PAGE:
            yield keys
            keys, below = [], 0
        keys.append(key)
        below += count
    if keys:
        yield keys
