"""What a query may ask for, and ask about, as SQL: the columns of its level and of those above, and what is
reckoned from the levels below.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sdcc import queries
from sdcc.index import matching
from sdcc.index.dialects import Dialect
from sdcc.index.folding import FOLDED_NAMES, PATIENT_NAME_GROUPS
from sdcc.index.matching import MATCHES, Term
from sdcc.index.rows import INSTANCE, LEVELS, SERIES, STUDY, Level
from sdcc.queries import DERIVED, Condition, DateTimeCondition, PersonName, Query

#: The table that each level's matches are rows of. A patient is one of its studies.
TABLES: Mapping[queries.Level, Level] = {
    queries.Level.PATIENT: STUDY,
    queries.Level.STUDY: STUDY,
    queries.Level.SERIES: SERIES,
    queries.Level.IMAGE: INSTANCE,
}

#: Whose texts may hold several values (PS3.6 has their multiplicities), apart from names.
SEVERAL_VALUES = frozenset(("image_type", "other_patient_ids", "admitting_diagnoses_description"))

#: Whose texts are JSON's, of their items.
SEQUENCES = frozenset(("procedure_code_sequence", "request_attributes_sequence"))

#: How what is in one text is matched where one of several is enough.
_MATCHES_OF_SEVERAL: Mapping[str, matching.Matches] = {
    **dict.fromkeys(SEVERAL_VALUES.union(FOLDED_NAMES), matching.matches_texts),
    **dict.fromkeys(SEQUENCES, matching.matches_items),
}

#: Studies of the same patient, by what distinguishes patients.
_SAME_PATIENT = """
    {one}.patient_id COLLATE {binary} = {other}.patient_id
    AND ({one}.issuer_of_patient_id = {other}.issuer_of_patient_id
        OR {one}.issuer_of_patient_id IS NULL AND {other}.issuer_of_patient_id IS NULL)
"""
#: A patient is, of the studies that match, the one that came last. One without a Patient ID, the unique key,
#: is no patient's. In the inner SELECT `study` is another one, so that the conditions are about that.
_IS_LAST = f"""
    study.study_key <= {{mark}} AND study.patient_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM (SELECT study.study_key, study.patient_id, study.issuer_of_patient_id) AS this, study
        WHERE study.study_key > this.study_key AND study.study_key <= {{mark}}
        AND {_SAME_PATIENT.format(one="study", other="this", binary="{binary}")} AND {{matches}})"""

_BELOW_PATIENT = (
    f"FROM study AS other {{joins}}"
    f" WHERE {_SAME_PATIENT.format(one='other', other='study', binary='{binary}')}"
)
_SERIES_OF_STUDY = "FROM series AS below WHERE below.study_key = study.study_key"
_INSTANCES_OF_STUDY = """
    FROM series AS below JOIN instance AS lowest ON lowest.series_key = below.series_key
    WHERE below.study_key = study.study_key"""
_SERIES_OF_OTHER = "JOIN series AS below ON below.study_key = other.study_key"
_INSTANCES_OF_OTHER = f"{_SERIES_OF_OTHER} JOIN instance AS lowest ON lowest.series_key = below.series_key"

#: What is counted, where a patient without an ID has nothing.
_COUNTS = {
    "number_of_patient_related_studies": _BELOW_PATIENT.format(joins="", binary="{binary}"),
    "number_of_patient_related_series": _BELOW_PATIENT.format(joins=_SERIES_OF_OTHER, binary="{binary}"),
    "number_of_patient_related_instances": _BELOW_PATIENT.format(
        joins=_INSTANCES_OF_OTHER, binary="{binary}"
    ),
    "number_of_study_related_series": _SERIES_OF_STUDY,
    "number_of_study_related_instances": _INSTANCES_OF_STUDY,
    "number_of_series_related_instances": """
        FROM instance AS lowest WHERE lowest.series_key = series.series_key""",
}
#: What is listed, each value once.
_LISTS = {
    "modalities_in_study": ("below.modality", _SERIES_OF_STUDY),
    "sop_classes_in_study": ("lowest.sop_class_uid", _INSTANCES_OF_STUDY),
}

#: The patient's name, a component group each.
PATIENT_NAME_COLUMNS = tuple(f"study.{group}" for group in PATIENT_NAME_GROUPS)

_COLUMNS = {column.name: (table, column) for table in LEVELS for column in table.columns}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """An expression that can be selected, where its table and those above are joined."""

    table: Level
    sql: str
    type: type
    #: Of the expression.
    parameters: tuple[object, ...] = ()


def attribute(dialect: Dialect, name: str, level: queries.Level) -> Attribute:
    """
    :raises ValueError: it is none of the level's, nor of one above.
    """
    table = TABLES[DERIVED[name]] if name in DERIVED else _COLUMNS[name][0] if name in _COLUMNS else None
    if table is None or LEVELS.index(table) > LEVELS.index(TABLES[level]):
        raise ValueError(f"{name} is no attribute of level {level} or of one above")
    if name in _COUNTS:
        rows = _COUNTS[name].format(binary=dialect.binary)
        return Attribute(table=table, sql=f"(SELECT nullif(count(*), 0) {rows})", type=int)
    if name in _LISTS:
        value, rows = _LISTS[name]
        values = f"SELECT DISTINCT {value} COLLATE {dialect.binary} AS value {rows} ORDER BY 1"
        return Attribute(
            table=table, sql=f"(SELECT {dialect.joined}(value, '\\') FROM ({values}) AS listed)", type=str
        )
    return Attribute(table=table, sql=f"{table.table}.{name}", type=_COLUMNS[name][1].type)


def wanted(dialect: Dialect, query: Query) -> dict[str, Attribute]:
    """What a query wants, by name: of a sequence that it asks about, the items that match.

    :raises ValueError: an attribute is none of the query's level, nor of one above.
    """
    found = {name: attribute(dialect, name, query.level) for name in sorted(query.wanted)}
    for asked in query.conditions:
        if isinstance(asked, Condition) and asked.field in SEQUENCES.intersection(found):
            whole = found[asked.field]
            items = matching.items_that_match(dialect, whole.sql, asked.matching)
            found[asked.field] = dataclasses.replace(whole, sql=items.sql, parameters=items.parameters)
    return found


def is_last(dialect: Dialect, conditions: Iterable[Term], newest: int) -> Term:
    """Whether a study for which the conditions hold is the one that stands for its patient.

    :param newest: the key of the last study that counts.
    """
    matches = matching.all_of(conditions)
    sql = _IS_LAST.format(binary=dialect.binary, mark=dialect.mark, matches=matching.judged(matches.sql))
    return Term(matching.judged(sql), (newest, newest, *matches.parameters))


def condition(
    dialect: Dialect, asked: Condition | DateTimeCondition, level: queries.Level
) -> tuple[Level, Term]:
    """A condition in SQL, and the table that it is about.

    :raises ValueError: the attribute is none of the level's, nor of one above.
    :raises TypeError: what it holds is not matched in this way.
    """
    if isinstance(asked, DateTimeCondition):
        date, time = (attribute(dialect, name, level) for name in (asked.date_field, asked.time_field))
        if (date.table, date.type, time.type) != (time.table, datetime.date, datetime.time):
            raise TypeError(f"{asked.date_field} and {asked.time_field} are no date and time of one level")
        return date.table, matching.matches_instant(dialect, date.sql, time.sql, asked.first, asked.last)
    found = attribute(dialect, asked.field, level)
    return found.table, _term(dialect, found, asked)


def _term(dialect: Dialect, found: Attribute, asked: Condition) -> Term:
    name, how = asked.field, asked.matching
    if name in _LISTS:
        value, rows = _LISTS[name]
        one = matching.matches_text(dialect, value, how)
        # Or all series of the modality would be looked through for each study.
        is_one = matching.judged(one.sql)
        return Term(matching.judged(f"EXISTS (SELECT 1 {rows} AND {is_one})"), one.parameters)
    if isinstance(how, PersonName) and name == "patient_name":
        return matching.matches_groups(dialect, PATIENT_NAME_COLUMNS, matching.name_groups(how))
    if isinstance(how, PersonName) and name in FOLDED_NAMES:
        folded = f"{found.table.table}.{FOLDED_NAMES[name]}"
        return matching.matches_names(dialect, folded, matching.name_groups(how))
    if name in _MATCHES_OF_SEVERAL:
        return _MATCHES_OF_SEVERAL[name](dialect, found.sql, how)
    if found.type is str and not name.endswith("_uid"):
        # A collation of the column's own may take different texts for the same.
        return matching.matches_text(dialect, f"{found.sql} COLLATE {dialect.binary}", how)
    if found.type not in MATCHES:
        raise TypeError(f"{name} cannot be asked about")
    return MATCHES[found.type](dialect, found.sql, how)
