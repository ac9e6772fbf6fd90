"""Conditions in SQL: the kinds of matching of :mod:`sdcc.queries`, for expressions of any table.

Values are parameters, always. Knows no table; what databases differ in, it is given.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sdcc.index.dialects import Dialect
from sdcc.index.folding import folded_group
from sdcc.queries import (
    DateRange,
    Matching,
    PersonName,
    SequenceMatching,
    SingleValue,
    TimeRange,
    UIDList,
    WildCard,
)

#: Characters of a pattern, runs of `*` being one. No value that is kept is as long, and databases have
#: limits.
LONGEST_PATTERN = 2048

_WILD = re.compile("[*?]")
_RUN = re.compile("[*?]+")
#: What no database keeps in a text, so that no value has it.
_NOWHERE = re.compile("[\0\ud800-\udfff]")
_NOT_LITERAL = re.compile(f"{_WILD.pattern}|{_NOWHERE.pattern}")
_LAST_CHARACTER, _SURROGATES = 0x10FFFF, range(0xD800, 0xE000)
_INTEGERS = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Term:
    """A condition, and the values of its parameters in their order."""

    sql: str
    parameters: tuple[object, ...] = ()


NOTHING = Term("1 = 0")

#: How an expression matches, in a dialect.
Matches = Callable[[Dialect, str, Matching], Term]


def all_of(terms: Iterable[Term]) -> Term:
    """What holds where every one does; of none, everywhere."""
    return _joined(" AND ", tuple(terms)) or Term("1 = 1")


def any_of(terms: Iterable[Term]) -> Term:
    return _joined(" OR ", tuple(terms)) or NOTHING


def _joined(word: str, terms: tuple[Term, ...]) -> Term | None:
    if len(terms) < 2:
        return terms[0] if terms else None
    sql = word.join([term.sql for term in terms])
    return Term(f"({sql})", tuple(value for term in terms for value in term.parameters))


def judged(condition: str) -> str:
    """A condition that each row is looked at for.

    A planner may know nothing of it: neither that an index or a join could serve it, for which it would read
    far more than the next page, nor that few rows pass, for which it would look for all of them first.
    """
    return f"CASE WHEN {condition} THEN TRUE ELSE FALSE END"


# --- text ----------------------------------------------------------------------------------


def simplified(pattern: str) -> str:
    """The same pattern with one `*` at most in each run of wild cards, and that at its end."""
    return _RUN.sub(lambda run: run[0].replace("*", "") + "*" * ("*" in run[0]), pattern)


def literal_prefix(pattern: str) -> str:
    """Characters that every match begins with."""
    return _NOT_LITERAL.split(pattern, maxsplit=1)[0]


def is_literal(pattern: str) -> bool:
    return not _WILD.search(pattern)


def behind(prefix: str) -> str | None:
    """The first text, by code points, behind all that begin so; None: there is none."""
    for end in range(len(prefix), 0, -1):
        following = ord(prefix[end - 1]) + 1
        if following in _SURROGATES:
            following = _SURROGATES.stop
        if following <= _LAST_CHARACTER:
            return prefix[: end - 1] + chr(following)
    return None


def equals(dialect: Dialect, text: str, value: object) -> Term:
    if isinstance(value, str) and _NOWHERE.search(value):
        return NOTHING
    if isinstance(value, int) and value not in _INTEGERS:
        return NOTHING
    return Term(f"{text} = {dialect.mark}", (dialect.parameter(value),))


def one_of(dialect: Dialect, text: str, values: Iterable[str]) -> Term:
    given = [value for value in dict.fromkeys(values) if not _NOWHERE.search(value)]
    return Term(dialect.one_of.format(text=text), (dialect.listed(given),)) if given else NOTHING


def like(dialect: Dialect, text: str, pattern: str) -> Term:
    """Whether a text matches a pattern, case-sensitively."""
    pattern = simplified(pattern)
    if is_literal(pattern):
        return equals(dialect, text, pattern)
    if pattern == "*":
        return Term(f"{text} IS NOT NULL")
    if len(pattern) > LONGEST_PATTERN or _NOWHERE.search(pattern):
        return NOTHING
    return Term(judged(dialect.like.format(text=text)), (dialect.pattern(pattern),))


def matches_text(dialect: Dialect, text: str, matching: Matching) -> Term:
    """A text of one value."""
    match matching:
        case SingleValue(str(value)):
            return equals(dialect, text, value)
        case UIDList(values):
            return one_of(dialect, text, values)
        case WildCard(pattern):
            return like(dialect, text, pattern)
    raise _mismatch(matching)


def matches_texts(dialect: Dialect, text: str, matching: Matching) -> Term:
    """A text of several values, joined by a backslash: one that matches is enough."""
    return _any_part(dialect, text, matches_text(dialect, "value", matching))


def _any_part(dialect: Dialect, text: str, one: Term) -> Term:
    parts = dialect.parts.format(text=text)
    return Term(judged(f"EXISTS (SELECT 1 FROM {parts} WHERE {one.sql})"), one.parameters)


# --- sequences -----------------------------------------------------------------------------


def matches_items(dialect: Dialect, sequence: str, matching: Matching) -> Term:
    """A sequence as JSON's text: one item that matches is enough."""
    found = _matching_items(dialect, sequence, matching)
    return Term(judged(f"EXISTS (SELECT 1 {found.sql})"), found.parameters)


def items_that_match(dialect: Dialect, sequence: str, matching: Matching) -> Term:
    """The sequence with no others, as an expression."""
    found = _matching_items(dialect, sequence, matching)
    return Term(f"(SELECT {dialect.sequence} {found.sql})", found.parameters)


def _matching_items(dialect: Dialect, sequence: str, matching: Matching) -> Term:
    """What a SELECT of them ends with."""
    if not isinstance(matching, SequenceMatching):
        raise _mismatch(matching)
    matches = all_of(
        matches_text(dialect, _of_item(dialect, condition.field), condition.matching)
        for condition in matching.conditions
    )
    return Term(f"FROM {dialect.items.format(text=sequence)} WHERE {matches.sql}", matches.parameters)


def _of_item(dialect: Dialect, field: str) -> str:
    if not field.isidentifier():
        raise ValueError("no attribute of an item is called so")
    return f"{dialect.of_item.format(field=field)} COLLATE {dialect.binary}"


# --- names ---------------------------------------------------------------------------------


def group_patterns(group: str) -> tuple[str, ...]:
    """The patterns, folded, that a component group's stands for; none: every group matches.

    Components that a name leaves out at its end are empty, so that `Yamada^*` stands for `Yamada`, too.
    """
    pattern = folded_group(simplified(group))
    while pattern.endswith("^*"):
        shorter = folded_group(pattern[:-1])
        if not shorter.endswith("*"):
            return (pattern, shorter) if shorter else (pattern,)
        pattern = shorter  # which matches all that the longer one does
    return () if pattern in ("", "*") else (pattern,)


def like_any(dialect: Dialect, text: str, patterns: Iterable[str]) -> Term:
    return any_of([like(dialect, text, pattern) for pattern in patterns])


def name_groups(matching: Matching) -> list[tuple[str, ...]]:
    """For each component group of a pattern its :func:`group_patterns`."""
    if not isinstance(matching, PersonName):
        raise _mismatch(matching)
    return [group_patterns(group) for group in matching.groups]


def matches_groups(dialect: Dialect, groups: Sequence[str], patterns: list[tuple[str, ...]]) -> Term:
    """A name whose groups stand by themselves, each in an expression of its own."""
    if not any(patterns):
        return Term(f"{groups[0]} IS NOT NULL")
    if len(patterns) == 1:
        return any_of([like_any(dialect, group, patterns[0]) for group in groups])
    every = [like_any(dialect, group, some) for group, some in zip(groups, patterns, strict=False) if some]
    return all_of(every)


def matches_names(dialect: Dialect, names: str, patterns: list[tuple[str, ...]]) -> Term:
    """Folded names in one text: one that matches is enough."""
    if len(patterns) == 1:
        names = f"replace({names}, '=', '\\')"
        one = matches_groups(dialect, ["value"], patterns)
    else:
        one = matches_groups(dialect, [dialect.group("value", place) for place in range(3)], patterns)
    return _any_part(dialect, names, one)


# --- numbers, dates and times --------------------------------------------------------------


def within(dialect: Dialect, value: str, first: object, last: object) -> Term:
    """Both ends included; None: open."""
    ends = ((">=", first), ("<=", last))
    return all_of(
        Term(f"{value} {operator} {dialect.mark}", (dialect.parameter(end),))
        for operator, end in ends
        if end is not None
    )


def matches_instant(
    dialect: Dialect, date: str, time: str, first: datetime.datetime | None, last: datetime.datetime | None
) -> Term:
    """A date and a time as one: without its time, a date is on none of the days that a range ends on."""
    return all_of(
        Term(
            f"({date} {operator} {dialect.mark}"
            f" OR {date} = {dialect.mark} AND {time} {operator}= {dialect.mark})",
            tuple(map(dialect.parameter, (end.date(), end.date(), end.time()))),
        )
        for operator, end in ((">", first), ("<", last))
        if end is not None
    )


def _comparable(kind: type, ranges: tuple[type[DateRange | TimeRange], ...]) -> Matches:
    """What matches values that are equal or, where there are ranges of them, between two."""

    def matches(dialect: Dialect, value: str, matching: Matching) -> Term:
        if isinstance(matching, SingleValue) and isinstance(matching.value, kind):
            return equals(dialect, value, matching.value)
        if isinstance(matching, DateRange | TimeRange) and isinstance(matching, ranges):
            return within(dialect, value, matching.first, matching.last)
        raise _mismatch(matching)

    return matches


def _mismatch(matching: Matching) -> TypeError:
    return TypeError(f"{type(matching).__name__} does not match what this attribute holds")


#: By the type of an attribute's values.
MATCHES: Mapping[type, Matches] = {
    str: matches_text,
    int: _comparable(int, ()),
    datetime.date: _comparable(datetime.date, (DateRange,)),
    datetime.time: _comparable(datetime.time, (TimeRange,)),
}
