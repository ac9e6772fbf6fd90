"""The same queries put to DCMTK's dcmqrscp and to Orthanc: the table is not only SDCC's own opinion."""

from __future__ import annotations

import pydicom
import pytest

from benchmarks.receivers import TITLE, Dcmqrscp, Orthanc

from ..programs import required
from .asking import find, store_all
from .queries import QUERIES, REFUSED

ALL = "1 2 3 4 5 6"
#: What is found by who takes every sequence for one that matches.
SEQUENCES_IGNORED = {
    "sequence: an item that matches is enough": ALL,
    "sequence: all keys in one item": ALL,
    "sequence: a wild card": ALL,
    "sequence: text in kanji": ALL,
    "sequence: with another key": ALL,
    "sequence: what is absent does not match": ALL,
    "sequence: of a series": "1.1 1.2 1.3",
}
#: What DCMTK 3.6.7 finds where it finds something else, or its status; docs/query.rst says it in words.
OF_DCMQRSCP = {
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
    **SEQUENCES_IGNORED,
    "two items in a sequence": 0x0000,
    # It answers C000 where unique keys are absent, and does without some of them.
    "no level of the model": 0xC000,
    "series without a study": 0xC000,
    "objects without a series": 0xC000,
    "series of a list of studies": 0x0000,
    "studies of no patient": 0x0000,
    "studies of patients with a wild card": 0x0000,
}

#: The same of Orthanc 1.10.1.
OF_ORTHANC = {
    # Outer spaces count, and a date or time is as it is written.
    "single value: outer spaces do not": "",
    "single date: ACR-NEMA's form": "",
    "single time: another form of the same": "",
    "single time: what it leaves out is any": "",
    # The ends of ranges are compared as text; what is absent comes before all.
    "times: from": "2 3",
    "times: the end is the whole minute": "",
    "dates: to": "1 3 4",
    "times: to": "4 5",
    "wild card: not in a UID": "C000",
    # All component groups are one text.
    "name: components left empty": "",
    "name: the alphabetic group of three": "",
    "name: the ideographic group alone": "",
    "name: the phonetic group alone": "",
    "name: a group in its place": "",
    "SOP Classes in study": "",
    **SEQUENCES_IGNORED,
    # Every query is relational, and every level is there in both roots.
    **{refused.name: 0x0000 for refused in REFUSED},
}
SERVERS = {Dcmqrscp: OF_DCMQRSCP, Orthanc: OF_ORTHANC}


@pytest.fixture(scope="module", params=SERVERS, ids=lambda kind: kind.program)
def elsewhere(request, dcmtk, tmp_path_factory):
    """A server that has every object of the table, and its differences."""
    required(request.param.path() or request.param.program, "install the Debian packages dcmtk and orthanc")
    server = request.param(tmp_path_factory.mktemp("elsewhere"), 1)
    try:
        store_all(dcmtk("storescu"), server.address, TITLE, tmp_path_factory.mktemp("objects"))
        yield server, SERVERS[request.param]
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
def test_another_server_finds_the_same_or_a_difference_that_is_explained(elsewhere, dcmtk, tmp_path, asked):
    server, differences = elsewhere
    answers, status = find(dcmtk("findscu"), asked, server.address, TITLE, tmp_path)

    found = asked.answers(answers) if status == 0x0000 else f"{status:04X}"
    assert found == differences.get(asked.name, asked.found)


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_another_server_refuses_the_same_or_does_as_is_explained(elsewhere, dcmtk, tmp_path, refused):
    server, differences = elsewhere
    _, status = find(dcmtk("findscu"), refused, server.address, TITLE, tmp_path)

    assert status == differences.get(refused.name, refused.status)


@pytest.mark.parametrize("differences", SERVERS.values(), ids=[kind.program for kind in SERVERS])
def test_every_difference_is_one_of_the_table(differences):
    assert differences.keys() <= {asked.name for asked in (*QUERIES, *REFUSED)}
