"""The conformance statement, read as its readers will: through docutils."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from docutils import nodes
from docutils.core import publish_doctree

from sdcc import __version__, conformance
from sdcc.config import TLS, Access, AssociationSettings, Audit, Configuration, Index, Local, Remote, Storage
from sdcc.dimse.status import Status
from sdcc.standard_classes import standard_storage_classes
from sdcc.statement import binary_size, conformance_statement

KEPT = Path(__file__).parent.parent / "docs" / "conformance-statement.rst"


def parsed(configuration: Configuration) -> nodes.document:
    """The document; any system message of docutils is an error."""
    text = conformance_statement(configuration)
    return publish_doctree(text, settings_overrides={"halt_level": 1, "report_level": 5})


def section(document: nodes.document, number: str) -> nodes.section:
    (found,) = (
        node
        for node in document.findall(nodes.section)
        if node.next_node(nodes.title).astext().split(" ")[0] == number
    )
    return found


def tables(document: nodes.document, number: str) -> list[list[tuple[str, ...]]]:
    """The tables of a section, its subsections left out: rows of cells, the header first."""
    return [
        [tuple(entry.astext() for entry in row.findall(nodes.entry)) for row in table.findall(nodes.row)]
        for table in section(document, number).children
        if isinstance(table, nodes.table)
    ]


def prose(document: nodes.document, number: str) -> str:
    """The words of a section on one line."""
    return " ".join(section(document, number).astext().split())


@pytest.fixture(scope="module")
def default() -> nodes.document:
    return parsed(Configuration())


def test_the_statement_that_the_project_keeps_is_that_of_the_default_configuration() -> None:
    assert KEPT.read_text(encoding="utf-8") == conformance_statement(Configuration()), (
        "write it anew with: sdccctl conformance > docs/conformance-statement.rst"
    )


def test_it_does_not_tell_where_the_program_keeps_its_files(tmp_path: Path) -> None:
    elsewhere = Configuration(storage=Storage(directory=tmp_path), source=tmp_path / "sdcc.toml")
    assert conformance_statement(elsewhere) == conformance_statement(Configuration())


def test_its_sections_are_those_of_the_published_statement_and_the_readings(default: nodes.document) -> None:
    titles = [node.next_node(nodes.title).astext() for node in default.findall(nodes.section)]
    assert " ".join(title.split(" ")[0] for title in titles) == (
        "1. 1.1 1.2 1.3 2. 2.1 2.1.1 2.1.2 2.1.3 2.1.4 2.2 2.2.1 2.3 "
        "2.3.1 2.3.1.1 2.3.1.2 2.3.1.2.1 2.3.2 2.3.2.1 2.3.2.2 2.3.2.2.1 2.3.2.2.2 "
        "2.3.3 2.3.3.1 2.3.3.2 2.3.3.2.1 2.3.4 2.3.4.1 2.3.4.2 2.3.4.2.1 "
        "2.3.5 2.3.5.1 2.3.5.2 2.3.5.2.1 2.3.6 "
        "3. 3.1 3.2 3.2.1 3.3 4. 5. 5.1 5.2 6. 7."
    )


def test_it_names_the_version_and_the_implementation(default: nodes.document) -> None:
    assert __version__ in default.astext()
    assert tables(default, "2.1.4") == [
        [
            ("Product name", "Implementation Class UID", "Implementation Version Name"),
            ("SDCC", "1.2.392.100224.1.2002.100.5", "SDCC 1.1"),
        ]
    ]


def test_it_lists_the_published_31_sop_classes_and_then_the_others(
    default: nodes.document,
) -> None:
    ((_, verification, *others),) = tables(default, "2.")
    storage, further = others[:30], others[30:]
    assert verification == ("1.2.840.10008.1.1", "Verification", "Verification", "SCP")
    assert storage == [(c.uid, c.name, "Storage", "SCP") for c in conformance.STORAGE_CLASSES]
    assert [(uid, service) for uid, _, service, _ in further] == [
        ("1.2.840.10008.5.1.4.1.2.1.1", "Query"),
        ("1.2.840.10008.5.1.4.1.2.1.2", "Retrieve"),
        ("1.2.840.10008.5.1.4.1.2.1.3", "Retrieve"),
        ("1.2.840.10008.5.1.4.1.2.2.1", "Query"),
        ("1.2.840.10008.5.1.4.1.2.2.2", "Retrieve"),
        ("1.2.840.10008.5.1.4.1.2.2.3", "Retrieve"),
        ("1.2.840.10008.1.20.1", "Commitment"),
    ]


def test_each_service_has_its_presentation_contexts(default: nodes.document) -> None:
    ((_, *verification),) = tables(default, "2.3.1.2")
    assert verification == [
        ("Verification", "1.2.840.10008.1.1", "Implicit VR Little Endian", "1.2.840.10008.1.2", "SCP")
    ]
    ((_, *storage),) = tables(default, "2.3.2.2")
    assert storage == [(c.uid, c.name, "see 2.3.2.2.1", "SCP") for c in conformance.STORAGE_CLASSES]
    ((_, *syntaxes),) = tables(default, "2.3.2.2.1")
    assert syntaxes == list(conformance.STORAGE_TRANSFER_SYNTAXES.items())
    plain = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]
    for number, service in (("2.3.3.2", "query"), ("2.3.4.2", "retrieve"), ("2.3.5.2", "commitment")):
        ((_, *contexts),) = tables(default, number)
        assert [(context[1], context[3], context[4]) for context in contexts] == [
            (c.uid, syntax, "SCP")
            for c in conformance.SERVICE_CLASSES
            if c.service == service
            for syntax in plain
        ]


def statuses(document: nodes.document, number: str) -> set[str]:
    """Those of the first table that has statuses."""
    _, *rows = next(found for found in tables(document, number) if found[0][0] == "Status")
    return {row[0] for row in rows}


def test_the_statuses_of_all_services_are_all_that_the_program_knows(default: nodes.document) -> None:
    of_c_store = statuses(default, "2.3.2.2.2")
    assert of_c_store == {"0000", "0110", "0117", "0122", "0124", "A700", "A900", "C000"}
    others = (statuses(default, number) for number in ("2.3.3.2.1", "2.3.4.2.1", "2.3.5.2.1"))
    assert of_c_store.union(*others) == {
        f"{status:04X}" for status in Status if status != Status.UNRECOGNIZED_OPERATION
    }
    assert f"{Status.UNRECOGNIZED_OPERATION:04X}" in prose(default, "2.3.6")


def test_the_rejections_are_the_designs(default: nodes.document) -> None:
    rejections, results = tables(default, "2.3")
    assert [codes for _, codes, _ in rejections[1:]] == [
        "1/2/2",
        "1/1/2",
        "1/1/7",
        "1/1/3",
        "2/3/2",
        "2/3/1",
        "2/3/1",
    ]
    assert [result for result, _, _ in results[1:]] == ["0", "3", "4"]


def test_it_lists_the_thirty_character_sets(default: nodes.document) -> None:
    ((_, *rows),) = tables(default, "6.")
    assert rows == [
        (row.term, row.defined_term or "default repertoire", row.name) for row in conformance.CHARACTER_SETS
    ]
    assert len(rows) == 30


def test_the_readings_give_a_section_of_the_published_statement_each(default: nodes.document) -> None:
    ((_, *rows),) = tables(default, "7.")
    assert [section for section, _, _ in rows] == [
        *("2.1.1", "2.1.1", "2.1.2", "2.1.3", "2.1.4", "2, 2.3.2.2", "2.3.2.2", "2.3.1.2", "2.3.2.2.1"),
        *("2.3, 2.1.2, 5.1", "2.3.2.2.2", "2.3.2.2.2", "5.2", "6", "6", "6"),
    ]
    assert "not provided" not in prose(default, "7.").lower()


CONFIGURED = Configuration(
    locals=(
        Local(ae_title="ARCHIVE", port=104, interface="::", max_associations=12),
        Local(ae_title="TEST", port=0),
    ),
    remotes=(
        Remote(ae_title="CT01", address="ct01.example.org", port=104, max_associations=3),
        Remote(ae_title="WS", address="192.168.10.9", services=frozenset({"verification"})),
        Remote(ae_title="NONE", address="::1", services=frozenset()),
    ),
    access=Access(unknown_callers="reject", check_address=False),
    storage=Storage(
        minimum_free=0,
        maximum_object_size=512 << 20,
        additional_sop_classes=(standard_storage_classes()["1.2.840.10008.5.1.4.1.1.2.1"],),
    ),
    index=Index(timeout=2.5),
    association=AssociationSettings(
        maximum_pdu_length=65536, maximum_open=77, artim_timeout=15.0, idle_timeout=600.0, drain_timeout=5.0
    ),
)


def test_it_says_what_is_configured() -> None:
    document = parsed(CONFIGURED)
    assert "65536 bytes" in prose(document, "2.1.1")
    assert tables(document, "2.1.2") == [
        [
            ("Open at the same time", "At most"),
            ("to the local AE ARCHIVE", "12"),
            ("to the local AE TEST", "1"),
            ("from the remote AE CT01", "3"),
            ("in all", "77"),
        ]
    ]
    assert "calling AE title is ARCHIVE." in prose(document, "2.2.1")
    assert "may be 512 MiB long at most" in prose(document, "2.3.2.2.2")
    assert "no free-space floor" in prose(document, "2.3.2.2.2")
    assert "may wait 2.5 s at most" in prose(document, "2.3.2.2.2")
    ((_, *timers),) = tables(document, "2.3.6")
    assert [timer[:2] for timer in timers] == [("ARTIM", "15"), ("idle", "600"), ("drain", "5")]
    assert tables(document, "5.1") == [
        [
            ("AE Title", "Interface", "Port"),
            ("ARCHIVE", "::", "104"),
            ("TEST", "127.0.0.1", "any that is free"),
        ],
        [
            ("AE Title", "Address", "Port", "May use"),
            ("CT01", "ct01.example.org", "104", "verification, storage, query, retrieve, commitment"),
            ("WS", "192.168.10.9", "none", "verification"),
            ("NONE", "::1", "none", "nothing"),
        ],
    ]


def test_additional_classes_are_among_the_sop_classes_and_the_extensions() -> None:
    document = parsed(CONFIGURED)
    uid, name = "1.2.840.10008.5.1.4.1.1.2.1", "Enhanced CT Image Storage"
    assert tables(document, "2.")[0][-1] == (uid, name, "Storage", "SCP")
    assert tables(document, "2.3.2.2")[0][-1] == (uid, name, "see 2.3.2.2.1", "SCP")
    assert prose(document, "4.").endswith(
        "1 Storage SOP Class that the published statement has not; see section 2."
    )


def test_without_additional_classes_there_are_no_extensions(default: nodes.document) -> None:
    assert prose(default, "4.").endswith("None.")


@pytest.mark.parametrize(
    ("unknown_callers", "check_address", "words"),
    [
        (
            "accept",
            True,
            ["5.1 is accepted from any address.", "5.1 is accepted from its own address alone."],
        ),
        ("loopback", True, ["5.1 is accepted from SDCC's own host", "accepted from its own address alone."]),
        ("reject", False, ["5.1 is rejected.", "remote AE of 5.1 is accepted from any address."]),
    ],
)
def test_it_says_who_may_call(unknown_callers: str, check_address: bool, words: list[str]) -> None:
    document = parsed(
        Configuration(access=Access(unknown_callers=unknown_callers, check_address=check_address))
    )
    text = prose(document, "2.3")
    assert [w for w in words if w not in text] == []


def test_all_that_the_standard_defines_fits() -> None:
    everything = Storage(additional_sop_classes=tuple(standard_storage_classes().values()))
    ((_, *rows),) = tables(parsed(Configuration(storage=everything)), "2.3.2.2")
    assert {uid for uid, *_ in rows} == set(standard_storage_classes())


@pytest.mark.parametrize("ae_title", ["*A*", "`A`", "|A|", "A_", "1.", "A  B"])
def test_an_ae_title_is_not_taken_for_markup(ae_title: str) -> None:
    document = parsed(
        Configuration(
            locals=(Local(ae_title=ae_title),),
            remotes=(Remote(ae_title=ae_title, address="::1", max_associations=1),),
        )
    )
    assert f"Their calling AE title is {ae_title}." in section(document, "2.2.1").astext().replace("\n", " ")
    assert tables(document, "2.1.2")[0][1:3] == [
        (f"to the local AE {ae_title}", "1"),
        (f"from the remote AE {ae_title}", "1"),
    ]
    assert [rows[1][0] for rows in tables(document, "5.1")] == [ae_title, ae_title]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (1000, "1000 bytes"),
        (1 << 10, "1 KiB"),
        ((1 << 20) + 1024, "1025 KiB"),
        (16 << 30, "16 GiB"),
        (1 << 50, "1024 TiB"),
    ],
)
def test_sizes_are_shown_exactly(count: int, words: str) -> None:
    assert binary_size(count) == words


def test_it_says_what_is_over_tls() -> None:
    assert "In this configuration no connection is over TLS." in prose(parsed(Configuration()), "3.3")
    tls = TLS(certificate=Path("a"), private_key=Path("b"))
    configuration = Configuration(locals=(Local(tls=True), Local(ae_title="PLAIN", port=104)), tls=tls)
    found = prose(parsed(configuration), "3.3")
    assert (
        "the ports of the local AEs SDCC, and the associations that SDCC opens to the remote AEs (none)."
        in found
    )
    assert "A peer that calls is asked for no certificate." in found
    assert "that an authority of SDCC's host has signed" in found
    mutual = replace(configuration, tls=replace(tls, client_authorities=Path("c")))
    found = prose(parsed(mutual), "3.3")
    assert "A peer that calls must show a certificate that a configured authority has signed." in found
    assert "that a configured authority has signed, for" in found


def test_it_names_the_profiles_of_the_audit_trail(default: nodes.document) -> None:
    found = prose(default, "3.3")
    assert "Audit Trail Message Format Profile (PS3.15 A.5)" in found
    assert "SYSLOG-UDP (A.7); that by SYSLOG-TLS (A.6) is not provided" in found
    assert found.endswith("In this configuration there is no audit trail.")


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        ("udp:collector.example:514", "are sent to a collector by SYSLOG-UDP."),
        (
            "tcp:collector.example:601",
            "are sent to a collector by syslog over TCP (RFC 6587), which is none of the profiles.",
        ),
        ("unix:/dev/log", "are given to the syslog of SDCC's host."),
        ("/srv/sdcc/audit.log", "are written to a file."),
    ],
)
def test_it_says_how_the_audit_trail_is_transmitted_and_not_where_to(destination: str, words: str) -> None:
    text = conformance_statement(Configuration(audit=Audit(destination=destination)))
    assert f"In this configuration they {words}" in " ".join(text.split())
    assert destination not in text
