"""Which objects a C-MOVE or C-GET asks for: by Unique Keys, as the Information Model has them."""

from __future__ import annotations

import pytest

from sdcc import conformance
from sdcc.queries import Condition, Level, SingleValue, UIDList
from sdcc.services.query_retrieve.identifiers import BadIdentifier
from sdcc.services.query_retrieve.retrievals import read_retrieval

from .asking import RELATIONAL, context, identifier

MOVE = conformance.PATIENT_ROOT_MOVE
#: One value of each Unique Key.
ABOVE = {"PatientID": "P1", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"}


def retrieve(keys, model=MOVE, extended=b""):
    return read_retrieval(identifier(keys), context(model, extended=extended))


@pytest.mark.parametrize(
    ("keys", "matchings"),
    [
        ({"level": "PATIENT", "PatientID": "P1"}, [SingleValue("P1")]),
        (
            {"level": "STUDY", "PatientID": "P1", "StudyInstanceUID": "1.2"},
            [SingleValue("P1"), SingleValue("1.2")],
        ),
        (
            {"level": "IMAGE", **ABOVE, "SOPInstanceUID": "1\\2", "Modality": "CT"},
            [*map(SingleValue, ABOVE.values()), UIDList(("1", "2"))],
        ),
    ],
)
def test_a_retrieval_is_of_all_objects_below_its_unique_keys(keys, matchings):
    query = retrieve(keys)

    assert (query.level, query.wanted) == (Level.IMAGE, frozenset())
    assert [condition.matching for condition in query.conditions] == matchings


@pytest.mark.parametrize(
    ("keys", "comment"),
    [
        ({"level": "PATIENT"}, "PatientID: a value is needed at PATIENT level"),
        ({"level": "PATIENT", "PatientID": "*"}, "PatientID: a value is needed at PATIENT level"),
        ({"level": "PATIENT", "PatientID": "P*"}, "PatientID: a wild card is not allowed"),
        ({"level": "PATIENT", "PatientID": "P1\\P2"}, "PatientID: one value is allowed"),
        *(
            (
                {"level": "STUDY", "PatientID": "P1", "StudyInstanceUID": f"1.{wild_card}"},
                "StudyInstanceUID: a wild card is not allowed",
            )
            for wild_card in "*?"
        ),
        ({"level": "STUDY", "StudyInstanceUID": "1.2"}, "PatientID: one value is needed at STUDY level"),
        ({"level": "STUDY", "PatientID": "P1"}, "StudyInstanceUID: a value is needed at STUDY level"),
        ({"PatientID": "P1"}, "QueryRetrieveLevel: absent"),
    ],
)
def test_a_retrieval_of_everything_is_refused(keys, comment):
    with pytest.raises(BadIdentifier, match=f"^{comment.replace('*', '.')}$"):
        retrieve(keys)


def test_a_relational_retrieval_needs_the_unique_key_of_its_level_alone():
    assert retrieve({"level": "IMAGE", "SOPInstanceUID": "1"}, extended=RELATIONAL).conditions == (
        Condition("sop_instance_uid", SingleValue("1")),
    )
    with pytest.raises(BadIdentifier):
        retrieve({"level": "IMAGE", "SeriesInstanceUID": "1"}, extended=RELATIONAL)
