"""Which contexts are proposed for what is held, and which of them an object takes."""

from __future__ import annotations

import pytest

from sdcc.queries import Holding
from sdcc.services.query_retrieve.storage_contexts import batches, way
from sdcc.upper_layer.items import MAXIMUM_CONTEXTS
from sdcc.upper_layer.negotiation import PresentationContext

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG, RLE = "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.5"


def holding(sop_class, syntax):
    return Holding(sop_class_uid=sop_class, transfer_syntax_uid=syntax, count=1)


def test_each_syntax_that_is_held_has_its_context_and_one_more_is_for_conversion():
    (batch,) = batches([holding(CT, JPEG), holding(MR, RLE), holding(CT, RLE)])
    assert [(c.id, c.abstract_syntax, c.transfer_syntaxes) for c in batch.contexts] == [
        (1, CT, (JPEG,)),
        (3, CT, (RLE,)),
        (5, CT, (EXPLICIT, IMPLICIT)),
        (7, MR, (RLE,)),
        (9, MR, (EXPLICIT, IMPLICIT)),
    ]
    assert batch.sop_classes == (CT, MR)


def test_nothing_held_is_no_batch():
    assert list(batches([])) == []


@pytest.mark.parametrize(("classes", "sizes"), [(64, [128]), (65, [128, 2]), (200, [128, 128, 128, 16])])
def test_no_batch_has_more_contexts_than_an_association(classes, sizes):
    found = list(batches(holding(f"1.2.{number}", JPEG) for number in range(classes)))
    assert [len(batch.contexts) for batch in found] == sizes
    assert len({uid for batch in found for uid in batch.sop_classes}) == classes
    assert all(batch.contexts[-1].id <= 255 for batch in found)


def test_a_class_in_more_syntaxes_than_there_are_contexts_has_its_conversion_still():
    (batch,) = batches(holding(CT, f"1.2.{number}") for number in range(300))
    assert len(batch.contexts) == MAXIMUM_CONTEXTS
    assert batch.contexts[-1].transfer_syntaxes == (EXPLICIT, IMPLICIT)


@pytest.mark.parametrize(
    ("accepted", "stored", "expected"),
    [
        ([JPEG, EXPLICIT], JPEG, JPEG),
        ([IMPLICIT, EXPLICIT], JPEG, EXPLICIT),
        ([IMPLICIT], JPEG, IMPLICIT),
        ([BIG_ENDIAN], JPEG, BIG_ENDIAN),
        ([BIG_ENDIAN, IMPLICIT], JPEG, IMPLICIT),
        ([RLE], JPEG, None),
        ([RLE, IMPLICIT], None, IMPLICIT),
        ([RLE], None, None),
        ([], JPEG, None),
    ],
)
def test_an_object_goes_as_it_lies_or_in_the_best_that_is_taken(accepted, stored, expected):
    contexts = {
        number: PresentationContext(id=number, abstract_syntax=CT, transfer_syntax=uid)
        for number, uid in enumerate(accepted)
    }
    found = way(contexts, CT, stored)
    assert (found.transfer_syntax if found else None) == expected
    assert way(contexts, MR, stored) is None
