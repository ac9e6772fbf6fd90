"""Which objects a C-MOVE or C-GET asks for (PS3.4 C.4.2.1.4): by Unique Keys, and by nothing else."""

from __future__ import annotations

from sdcc.queries import Condition, Level, Query, SingleValue
from sdcc.services.query_retrieve.identifiers import demand_unique_keys, mismatch, read_identifier
from sdcc.services.query_retrieve.keys import KEYS, UNIQUE_KEYS
from sdcc.upper_layer.negotiation import PresentationContext


def read_retrieval(data: bytes, context: PresentationContext) -> Query:
    """The objects, as a query of IMAGE level that wants nothing yet.

    Keys other than the Unique Keys are let be: they could only make less of it.

    :raises BadIdentifier: see there; also where the Unique Key of its level is absent, or has a wild card.
    """
    identifier = read_identifier(data, context)
    demand_unique_keys(identifier)
    conditions = []
    for level in identifier.levels:
        tag = UNIQUE_KEYS[level]
        matching = identifier.matching(tag)
        if matching is None:
            if level is identifier.level:
                raise mismatch(tag, f"a value is needed at {level} level")
            continue
        if any(wild_card in identifier.elements[tag].value for wild_card in b"*?"):
            raise mismatch(tag, "a wild card is not allowed")
        if level is Level.PATIENT and not isinstance(matching, SingleValue):
            raise mismatch(tag, "one value is allowed")  # it is no UID, of which alone there are lists
        conditions.append(Condition(KEYS[tag].field, matching))
    return Query(level=Level.IMAGE, conditions=tuple(conditions))
