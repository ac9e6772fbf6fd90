"""`sdccctl explain`: the answer, its codes and its rule."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from sdcc.control import main

VERIFICATION = "1.2.840.10008.1.1"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"


def explain(config: str, text: str) -> int:
    return main(["--config", config, "explain", *text.split()])


@pytest.mark.parametrize(
    "text",
    [
        "--calling ANY --called SDCC --address 127.0.0.1",
        "--calling ANY --called SDCC --address ::1",
        "--calling CT01 --called SDCC --address 192.168.10.21",
        "--calling CT01 --called RESEARCH --address 192.168.10.21",
        "--calling CT01 --called RESEARCH --address 192.168.10.21 --port 104",
        "--calling CT01 --called SDCC --address ::ffff:192.168.10.21",
    ],
)
def test_an_association_that_may_be_is_accepted(
    text: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(config, text) == 0
    assert capsys.readouterr() == ("accepted\n", "")


@pytest.mark.parametrize(
    ("text", "begin", "rule"),
    [
        ("--calling A --called OTHER --address 127.0.0.1", "refused 1/1/7: ", "'OTHER'"),
        ("--calling A --called sdcc --address 127.0.0.1", "refused 1/1/7: ", "'sdcc'"),
        ("--calling A --called RESEARCH --address 127.0.0.1 --port 11112", "refused 1/1/7: ", "'SDCC'"),
        ("--calling A --called SDCC --address 127.0.0.1 --port 104", "refused 1/1/7: ", "'RESEARCH'"),
        ("--calling A --called SDCC --address 10.0.0.1", "refused 1/1/3: ", "unknown_callers"),
        ("--calling CT01 --called SDCC --address 192.168.10.22", "refused 1/1/3: ", "check_address"),
        ("--calling CT01 --called OTHER --address 10.0.0.1", "refused 1/1/7: ", "'OTHER'"),
    ],
)
def test_an_association_that_may_not_be_is_refused_with_codes_and_rule(
    text: str, begin: str, rule: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(config, text) == 1
    out = capsys.readouterr().out
    assert out.startswith(begin)
    assert rule in out


FROM_CT01 = "--calling CT01 --called SDCC --address 192.168.10.21"


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (f"--abstract {VERIFICATION}", 0, "accepted: Verification with Implicit VR Little Endian"),
        (f"--abstract {CT_IMAGE_STORAGE}", 0, "accepted: CT Image Storage with Implicit VR Little Endian"),
        (
            f"--abstract {CT_IMAGE_STORAGE} --transfer-syntax {EXPLICIT_LITTLE}",
            0,
            "accepted: CT Image Storage with Explicit VR Little Endian",
        ),
        (
            "--abstract 1.2.3",
            1,
            "refused, context result 3 (abstract-syntax-not-supported): 1.2.3 is not provided",
        ),
        (
            f"--abstract 1.2.3 --transfer-syntax {DEFLATED}",
            1,
            "refused, context result 3 (abstract-syntax-not-supported): 1.2.3 is not provided",
        ),
        (
            f"--abstract {VERIFICATION} --transfer-syntax {EXPLICIT_LITTLE}",
            1,
            "refused, context result 4 (transfer-syntaxes-not-supported): "
            f"Verification takes Implicit VR Little Endian ({IMPLICIT_LITTLE})",
        ),
    ],
)
def test_a_context_is_answered_as_negotiation_does(
    text: str, code: int, words: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(config, f"{FROM_CT01} {text}") == code
    assert capsys.readouterr().out == f"{words}\n"


def test_programs_get_the_answer_in_parts(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(config, "--calling A --called OTHER --address 127.0.0.1 --json") == 1
    assert explain(config, f"{FROM_CT01} --abstract {VERIFICATION} --json") == 0
    assert explain(config, f"{FROM_CT01} --abstract 1.2.3 --json") == 1
    refused, accepted, unknown = map(json.loads, capsys.readouterr().out.splitlines())
    assert (refused["answer"], refused["codes"]) == ("refused", "1/1/7")
    assert "'OTHER'" in refused["rule"]
    assert accepted == {
        "answer": "accepted",
        "codes": "",
        "rule": "Verification with Implicit VR Little Endian",
        "context_result": "",
        "but": "",
    }
    assert (unknown["codes"], unknown["context_result"]) == ("3", "abstract-syntax-not-supported")


def test_a_storage_class_that_lacks_the_transfer_syntax_says_what_it_takes(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(config, f"{FROM_CT01} --abstract {CT_IMAGE_STORAGE} --transfer-syntax {DEFLATED}") == 1
    out = capsys.readouterr().out
    assert out.startswith(
        "refused, context result 4 (transfer-syntaxes-not-supported): CT Image Storage takes "
    )
    assert out.count("1.2.840.10008.1.2") == 9


def test_a_service_that_the_caller_may_not_use_is_mentioned(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The context is accepted, so that the sender is told why by the status of its requests."""
    assert explain(config, f"--calling WS --called SDCC --address ::1 --abstract {CT_IMAGE_STORAGE}") == 1
    assert (
        explain(config, f"--calling WS --called SDCC --address 127.0.0.1 --abstract {CT_IMAGE_STORAGE}") == 0
    )
    assert capsys.readouterr().out.splitlines()[1:] == [
        "accepted: CT Image Storage with Implicit VR Little Endian",
        "but each request is answered 0124: the [[remote]]'s services lack 'storage'",
    ]


STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"


def test_an_unknown_caller_from_elsewhere_is_told_which_services_it_has(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured('access.unknown_callers = "accept"')
    asked = "--calling WS --called SDCC --address 10.0.0.1 --abstract"
    assert explain(config, f"{asked} {CT_IMAGE_STORAGE}") == 0
    assert explain(config, f"{asked} {STUDY_ROOT_FIND}") == 0
    assert capsys.readouterr().out.splitlines() == [
        "accepted: CT Image Storage with Implicit VR Little Endian",
        "accepted: Study Root Query/Retrieve Information Model - FIND with Implicit VR Little Endian",
        "but each request is answered 0124: no [[remote]] 'WS', and the services of an unknown caller from "
        "elsewhere, storage and verification, lack 'query'",
    ]


def test_an_unknown_caller_on_this_host_may_query(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = f"--calling ANY --called SDCC --address ::1 --abstract {STUDY_ROOT_FIND}"
    assert explain(config, asked) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_refused_association_comes_before_its_contexts(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain(config, "--calling A --called OTHER --address 127.0.0.1 --abstract 1.2.3") == 1
    assert capsys.readouterr().out.startswith("refused 1/1/7: ")


def test_additional_classes_are_provided(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured('storage.additional_sop_classes = ["1.2.3"]')
    assert explain(config, "--calling A --called SDCC --address 127.0.0.1 --abstract 1.2.3") == 0
    assert capsys.readouterr().out.startswith("accepted: ")


def test_each_free_port_is_a_port_of_its_own(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured('local = [{ ae_title = "A", port = 0 }, { ae_title = "B", port = 0 }]')
    assert explain(config, "--calling X --called C --address 127.0.0.1") == 1
    assert capsys.readouterr().out.endswith("it has 'A'\n")


def test_locals_that_share_a_port_are_named_together(
    configured: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured('local = [{ ae_title = "A" }, { ae_title = "B" }]')
    assert explain(config, "--calling X --called C --address 127.0.0.1") == 1
    assert capsys.readouterr().out.endswith("it has 'A', 'B'\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{FROM_CT01} --transfer-syntax {IMPLICIT_LITTLE}", "--transfer-syntax needs --abstract"),
        (f"{FROM_CT01} --port 105", "no [[local]] has port 105"),
        (f"{FROM_CT01} --port 0", "allowed: a port from 1 to 65535"),
        (f"{FROM_CT01} --abstract 1..2", "allowed: a UID"),
        ("--calling CT01 --called SDCC --address host", "allowed: an IP address"),
        ("--calling SEVENTEEN_LETTERS --called SDCC --address ::1", "allowed: 1 to 16 printable"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(
    text: str, words: str, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        explain(config, text)
    assert words in capsys.readouterr().err
