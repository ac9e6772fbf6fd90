"""The same queries put to DCMTK's dcmqrscp: the table is not only SDCC's own opinion."""

from __future__ import annotations

import pydicom
import pytest

from benchmarks.receivers import TITLE, Dcmqrscp

from .asking import find, store_all
from .queries import QUERIES, REFUSED

ALL = "1 2 3 4 5 6"
#: What DCMTK 3.6.7 finds where it finds something else, or its status; docs/query.rst says it in words.
DIFFERENCES = {
    # A time is compared as the instant that it would be with zeros.
    "single time: what it leaves out is any": "",
    "times: the end is the whole minute": "",
    # Names are compared as other text is: with regard to case, and all component groups as one.
    "name: case does not count": "",
    "name: its beginning": "1 2",
    "name: components left empty": "",
    "name: the alphabetic group of three": "",
    "name: the ideographic group alone": "",
    "name: the phonetic group alone": "",
    "name: a group in its place": "",
    "name: in Latin 1": "",
    "name: in UTF-8, stored in Latin 1": "",
    "name: in Latin 2, stored in UTF-8": "",
    "patients": "P1",
    # A wild card is compared with bytes: before it, an escape sequence ends the kanji.
    "text in kanji": "",
    # It does not know these keys, and takes all for matches.
    "modalities in study": ALL,
    "modalities in study: one of several": ALL,
    "modalities in study: a wild card": ALL,
    "SOP Classes in study": ALL,
    # It answers C000 where unique keys are absent, and does without some of them.
    "no level of the model": 0xC000,
    "series without a study": 0xC000,
    "objects without a series": 0xC000,
    "series of a list of studies": 0x0000,
    "studies of no patient": 0x0000,
    "studies of patients with a wild card": 0x0000,
}


@pytest.fixture(scope="module")
def dcmqrscp(dcmtk, tmp_path_factory):
    """The server, when it has every object of the table."""
    dcmtk("dcmqrscp")
    server = Dcmqrscp(tmp_path_factory.mktemp("dcmqrscp"), 1)
    try:
        store_all(dcmtk("storescu"), server.address, TITLE, tmp_path_factory.mktemp("objects"))
        yield server
    finally:
        server.discard()


@pytest.fixture(autouse=True)
def any_value(monkeypatch):
    """What a query may hold, an object may not."""
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.IGNORE)


@pytest.mark.parametrize(
    "asked", [asked for asked in QUERIES if not asked.extended], ids=lambda asked: asked.name
)
def test_dcmqrscp_finds_the_same_or_a_difference_that_is_explained(dcmqrscp, dcmtk, tmp_path, asked):
    answers, status = find(dcmtk("findscu"), asked, dcmqrscp.address, TITLE, tmp_path)

    found = asked.answers(answers) if status == 0x0000 else f"{status:04X}"
    assert found == DIFFERENCES.get(asked.name, asked.found)


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_dcmqrscp_refuses_the_same_or_does_as_is_explained(dcmqrscp, dcmtk, tmp_path, refused):
    _, status = find(dcmtk("findscu"), refused, dcmqrscp.address, TITLE, tmp_path)

    assert status == DIFFERENCES.get(refused.name, refused.status)


def test_every_difference_is_one_of_the_table():
    assert DIFFERENCES.keys() <= {asked.name for asked in (*QUERIES, *REFUSED)}
