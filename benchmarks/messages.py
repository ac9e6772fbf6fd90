"""Requests as bytes, whole, before anything is measured.

An object's pixels are the same memory for all objects of its shape; its first PDUs are its own.
"""

from __future__ import annotations

import itertools
import struct
from functools import cached_property

from tests.interop.wire import (
    COMMAND,
    DATA,
    EXPLICIT,
    IMPLICIT,
    MAXIMUM_LENGTH,
    VERIFICATION,
    echo_rq,
    p_datas,
    store_rq,
)

from .objects import CT, INSTANCE_MARK, MULTIFRAME_US, SERIES_MARK, STUDY_MARK, data_set, uid

#: Presentation Context IDs by SOP class.
CONTEXT_IDS = {VERIFICATION: 1, CT: 3, MULTIFRAME_US: 5}
#: What an association proposes.
CONTEXTS = tuple(
    (number, sop_class, IMPLICIT if sop_class == VERIFICATION else EXPLICIT)
    for sop_class, number in CONTEXT_IDS.items()
)

#: Objects, where it is for us to say.
OF_A_STUDY = 100

_MARKS = (STUDY_MARK, SERIES_MARK, INSTANCE_MARK)
_MESSAGE_ID = struct.pack("<HHLH", 0x0000, 0x0110, 2, 1)


class Template:
    """C-STORE-RQs for objects of one shape."""

    def __init__(self, shape):
        self.shape = shape
        self._data = data = data_set(shape)
        #: Of a Data Set.
        self.data_bytes = len(data)
        context = CONTEXT_IDS[shape.sop_class]
        command = p_datas(context, COMMAND, store_rq(shape.sop_class, INSTANCE_MARK))
        pdus = p_datas(context, DATA, data)
        # All UIDs are in the first PDU of the Data Set.
        own = min(len(pdus), 6 + MAXIMUM_LENGTH)
        self._head = command + pdus[:own]
        self._rest = memoryview(pdus)[own:]
        assert self._head.count(INSTANCE_MARK.encode()) == 2
        assert self._head.count(SERIES_MARK.encode()) == self._head.count(STUDY_MARK.encode()) == 1

    @cached_property
    def _places(self):
        """(kind of UID, where it begins), of each in the head."""
        found = []
        for kind, mark in enumerate(_MARKS, 1):
            at = self._head.find(mark.encode())
            while at >= 0:
                found.append((kind, at))
                at = self._head.find(mark.encode(), at + 1)
        return found

    @cached_property
    def _message_id_at(self):
        return self._head.index(_MESSAGE_ID) + len(_MESSAGE_ID) - 2

    def message(self, message_id, *numbers):
        """Its parts, to be sent one after the other.

        :param numbers: of the study, of the series and of the instance.
        """
        head = bytearray(self._head)
        for kind, at in self._places:
            own = uid(kind, numbers[kind - 1]).encode()
            head[at : at + len(own)] = own
        struct.pack_into("<H", head, self._message_id_at, message_id)
        return [memoryview(head), self._rest] if self._rest else [memoryview(head)]

    def data_set(self, *numbers):
        """As an object's own; `numbers` as :meth:`message` has them."""
        found = self._data
        for kind, (mark, number) in enumerate(zip(_MARKS, numbers, strict=True), 1):
            found = found.replace(mark.encode(), uid(kind, number).encode(), 1)
        return found

    def messages(self, count, *, study, series=4):
        """:param series: that the objects belong to in turn, a block of them each."""
        each = -(-count // series)
        return [
            self.message(number % 0xFFFF + 1, study, study * 1000 + number // each, study * 100_000 + number)
            for number in range(count)
        ]


def endless(template, studies):
    """Messages without end, each study's encoded when the last one's have been sent.

    :param studies: the studies' numbers.
    """
    return itertools.chain.from_iterable(template.messages(OF_A_STUDY, study=study) for study in studies)


def echoes(count):
    """C-ECHO-RQs."""
    return [
        [memoryview(p_datas(CONTEXT_IDS[VERIFICATION], COMMAND, echo_rq(number % 0xFFFF + 1)))]
        for number in range(count)
    ]
