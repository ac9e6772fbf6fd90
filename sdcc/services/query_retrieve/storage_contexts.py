"""The Presentation Contexts over which stored objects go out, and which of them an object takes.

A Data Set goes out as it lies wherever the peer takes its Transfer Syntax: so each that is held of a class is
proposed in a context of its own, and what all peers take in one more, for what must be converted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sdcc.conformance import CONVERTED, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from sdcc.queries import Holding
from sdcc.upper_layer.items import MAXIMUM_CONTEXTS, ProposedContext
from sdcc.upper_layer.negotiation import PresentationContext

#: What is proposed for what must be converted.
PROPOSED = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one association can carry."""

    sop_classes: tuple[str, ...]
    contexts: tuple[ProposedContext, ...]


def batches(holdings: Iterable[Holding]) -> Iterator[Batch]:
    """As few as there can be with the classes in their order; no class is in two."""
    held: dict[str, list[str]] = {}
    for holding in holdings:
        held.setdefault(holding.sop_class_uid, []).append(holding.transfer_syntax_uid)
    classes: list[str] = []
    wanted: list[tuple[str, tuple[str, ...]]] = []
    for sop_class, stored in held.items():
        own = [(sop_class, (uid,)) for uid in stored[: MAXIMUM_CONTEXTS - 1]] + [(sop_class, PROPOSED)]
        if len(wanted) + len(own) > MAXIMUM_CONTEXTS:
            yield _batch(classes, wanted)
            classes, wanted = [], []
        classes.append(sop_class)
        wanted += own
    if classes:
        yield _batch(classes, wanted)


def _batch(classes: list[str], wanted: list[tuple[str, tuple[str, ...]]]) -> Batch:
    return Batch(
        tuple(classes),
        tuple(
            ProposedContext(id=2 * number + 1, abstract_syntax=sop_class, transfer_syntaxes=syntaxes)
            for number, (sop_class, syntaxes) in enumerate(wanted)
        ),
    )


def way(
    contexts: Mapping[int, PresentationContext], sop_class_uid: str, stored: str | None
) -> PresentationContext | None:
    """The context that an object goes out on; None: the peer takes none of its class that would do.

    :param stored: the Transfer Syntax that it lies in: where the context has another, it is converted.
        None: it is converted in any case.
    """
    of_class = {
        context.transfer_syntax: context
        for context in contexts.values()
        if context.abstract_syntax == sop_class_uid
    }
    return next((of_class[uid] for uid in (stored, *CONVERTED) if uid in of_class), None)
