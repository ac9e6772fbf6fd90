"""The configuration: every key read, every mistake named."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdcc import conformance
from sdcc.config import (
    HTTP,
    TLS,
    Access,
    AssociationSettings,
    Audit,
    Configuration,
    ConfigurationError,
    Index,
    Local,
    LogSettings,
    Manhole,
    QuerySettings,
    Remote,
    Storage,
    StudySettings,
    load,
)
from sdcc.config.reading import Reader

SAMPLE = Path(__file__).parent.parent / "etc" / "sdcc.toml"
#: Table to dataclass.
TABLES = {
    "local": Local,
    "remote": Remote,
    "access": Access,
    "storage": Storage,
    "index": Index,
    "query": QuerySettings,
    "study": StudySettings,
    "association": AssociationSettings,
    "log": LogSettings,
    "tls": TLS,
    "manhole": Manhole,
    "http": HTTP,
    "audit": Audit,
}
#: The keys with a default that the sample can show: not required, and not "left out".
WITH_DEFAULT = {name: {field.name for field in fields(cls)} for name, cls in TABLES.items()} | {
    "remote": {"max_associations", "services", "tls"},
    "tls": set(),
    "manhole": set(),
    "http": set(),
    "audit": {"source_id"},
}
MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
A_COMMAND = "allowed: an array of texts: a command, as an absolute path or a name in PATH, and its arguments"
A_WEB_URL = 'allowed: "", or a URL such as "https://host:8443/path" without user and fragment'
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "sdcc.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems(path: Path) -> tuple[str, ...]:
    """What is wrong with a file, without its name, which each line must begin with."""
    with pytest.raises(ConfigurationError) as raised:
        load(path)
    assert str(raised.value).splitlines() == list(raised.value.problems)
    assert all(problem.startswith(f"{path}: ") for problem in raised.value.problems)
    return tuple(problem.removeprefix(f"{path}: ") for problem in raised.value.problems)


def test_the_site_is_told_of_studies_as_it_asks(written: Callable[[str], Path]) -> None:
    text = """[study]
stable_after = 0.5
command = ["/bin/run", "--study={study_instance_uid}", "{}", "sh -c $HOME"]
post = "https://host.example:8443/studies?key=secret"
"""
    configuration = load(written(text))
    assert configuration.study == StudySettings(
        stable_after=0.5,
        command=("/bin/run", "--study={study_instance_uid}", "{}", "sh -c $HOME"),
        post="https://host.example:8443/studies?key=secret",
    )
    assert "secret" not in repr(configuration)


# --- defaults and the sample ---------------------------------------------------------------


def test_with_no_file_every_default_holds_and_paths_start_at_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = load(None)
    assert found == replace(Configuration(), storage=Storage(directory=tmp_path / "sdcc-data"))
    assert found.index_path == tmp_path / "sdcc-data" / "index.sqlite"
    assert found.locals == (Local(ae_title="SDCC", port=11112, interface="127.0.0.1", max_associations=1),)


def test_an_empty_file_is_every_default_from_its_own_directory(written: Callable[[str], Path]) -> None:
    path = written("")
    assert load(path) == replace(
        Configuration(), storage=Storage(directory=path.parent / "sdcc-data"), source=path
    )


def test_the_sample_holds_every_default() -> None:
    default = Configuration()
    assert load(SAMPLE) == replace(
        default,
        storage=replace(default.storage, directory=SAMPLE.parent / "sdcc-data"),
        source=SAMPLE,
    )


def sample_with_comments_removed() -> dict[str, Any]:
    """The sample with the tables and keys that it shows as comments."""
    return tomllib.loads(re.sub(r"(?m)^# (?=\[|\w+ = )", "", SAMPLE.read_text(encoding="utf-8")))


def test_the_sample_shows_every_key_and_no_other() -> None:
    shown = {
        name: set(table[0] if isinstance(table, list) else table)
        for name, table in sample_with_comments_removed().items()
    }
    assert shown == {name: {field.name for field in fields(cls)} for name, cls in TABLES.items()}


@pytest.mark.parametrize("name", TABLES)
def test_what_the_sample_shows_is_allowed_and_equals_the_defaults(name: str, tmp_path: Path) -> None:
    reader = Reader(sample_with_comments_removed(), tmp_path)
    cls = TABLES[name]
    found = (
        reader.tables(name, cls)[f"[[{name}]][1]"] if name in ("local", "remote") else reader.table(name, cls)
    )
    assert reader.problems == []
    defaults = {field.name: field.default for field in fields(cls)}
    values = {key: getattr(found, key) for key in defaults}
    assert {k: v for k, v in values.items() if k in WITH_DEFAULT[name]} == {
        k: tmp_path / v if isinstance(v, Path) else v for k, v in defaults.items() if k in WITH_DEFAULT[name]
    }


# --- values --------------------------------------------------------------------------------


def test_every_key_is_read(written: Callable[[str], Path]) -> None:
    path = written(
        """
        [[local]]
        ae_title = " ARCHIVE "
        port = 104
        interface = "0:0::0"
        max_associations = 20
        [[local]]
        ae_title = "ARCHIVE2"
        port = 104
        interface = "::"
        [[remote]]
        ae_title = "CT 01"
        address = "ct-01.example.org"
        port = 104
        max_associations = 3
        services = ["verification"]
        [access]
        unknown_callers = "reject"
        check_address = false
        [storage]
        directory = "/srv/dicom"
        minimum_free = 0
        maximum_object_size = "512 KiB"
        additional_sop_classes = ["1.2.3.4"]
        threads = 2
        [index]
        url = "sqlite:///db/index.sqlite"
        connections = 1
        timeout = 3
        [query]
        maximum_answers = 500
        [association]
        maximum_pdu_length = 131072
        maximum_open = 5
        artim_timeout = 0.5
        idle_timeout = 1
        drain_timeout = 0
        """
    )
    private = conformance.storage_class("1.2.3.4", "Storage SOP Class of no known name", "OT")
    assert load(path) == Configuration(
        locals=(
            Local(ae_title="ARCHIVE", port=104, interface="::", max_associations=20),
            Local(ae_title="ARCHIVE2", port=104, interface="::"),
        ),
        remotes=(
            Remote(
                ae_title="CT 01",
                address="ct-01.example.org",
                port=104,
                max_associations=3,
                services=frozenset({"verification"}),
            ),
        ),
        access=Access(unknown_callers="reject", check_address=False),
        storage=Storage(
            directory=Path("/srv/dicom"),
            minimum_free=0,
            maximum_object_size=524288,
            additional_sop_classes=(private,),
            threads=2,
        ),
        index=Index(url=f"sqlite:///{path.parent}/db/index.sqlite", connections=1, timeout=3.0),
        query=QuerySettings(maximum_answers=500),
        association=AssociationSettings(
            maximum_pdu_length=131072, maximum_open=5, artim_timeout=0.5, idle_timeout=1.0, drain_timeout=0.0
        ),
        source=path,
    )
    assert load(path).index_path == path.parent / "db" / "index.sqlite"


def test_a_relative_file_name_makes_absolute_paths(
    written: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written("")
    monkeypatch.chdir(path.parent.parent)
    found = load(Path(path.parent.name, path.name))
    assert found.source == path
    assert found.storage.directory == path.parent / "sdcc-data"


@pytest.mark.parametrize(("file", "below"), [("", None), ("log/sdcc.log", "log/sdcc.log")])
def test_the_log_is_where_twistd_writes_or_a_file(
    written: Callable[[str], Path], file: str, below: str | None
) -> None:
    path = written(f'log = {{ file = "{file}", levels = {{ "sdcc.index" = "debug", twisted = "error" }} }}')
    found = load(path).log
    assert found.file == (None if below is None else path.parent / below)
    assert found.levels == (("sdcc.index", "debug"), ("twisted", "error"))


@pytest.mark.parametrize(
    ("written_size", "number"),
    [
        ("1024", 1024),
        ('"1024"', None),
        ('"1024 B"', 1024),
        ('"1 KiB"', 1 << 10),
        ('"3MiB"', 3 << 20),
        ('"4 GiB"', 4 << 30),
        ('"1024 TiB"', 1 << 50),
        ('"1025 TiB"', None),
        ('"1 KB"', None),
        ('"1 kib"', None),
        ('"1.5 GiB"', None),
        ('"-1 KiB"', None),
        ('"1  KiB"', None),
        ('" 1 KiB"', None),
        ('"\N{ARABIC-INDIC DIGIT ONE} KiB"', None),
        ("1023", None),
        ("-1", None),
        ("2048.0", None),
        ("true", None),
    ],
)
def test_sizes(written: Callable[[str], Path], written_size: str, number: int | None) -> None:
    """Whole numbers, alone or as text with a binary unit; None: refused."""
    path = written(f"storage.maximum_object_size = {written_size}")
    if number is not None:
        assert load(path).storage.maximum_object_size == number
    else:
        (problem,) = problems(path)
        assert problem.endswith(
            'allowed: a number of bytes or a text such as "512 KiB" (B, KiB, MiB, GiB, TiB), '
            "from 1 KiB to 1024 TiB"
        )


def test_port_0_is_for_local_alone(written: Callable[[str], Path]) -> None:
    """And each 0 is another port."""
    path = written('local = [{ port = 0 }, { port = 0, interface = "0.0.0.0" }, { port = 0 }]')
    assert [local.port for local in load(path).locals] == [0, 0, 0]
    path = written('remote = [{ ae_title = "A", address = "::1", port = 0 }]')
    assert problems(path) == ("[[remote]][1].port = 0: allowed: a whole number from 1 to 65535",)


def test_locals_may_share_a_port_and_a_title_may_stand_on_two_ports(written: Callable[[str], Path]) -> None:
    path = written('local = [{ ae_title = "A" }, { ae_title = "B" }, { ae_title = "A", port = 104 }]')
    assert [(local.ae_title, local.port) for local in load(path).locals] == [
        ("A", 11112),
        ("B", 11112),
        ("A", 104),
    ]


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sdcc.toml"
    path.write_bytes(b"\xef\xbb\xbf[storage]\nthreads = 3\n")
    assert load(path).storage.threads == 3


# --- SOP classes ---------------------------------------------------------------------------


@pytest.mark.parametrize("words", ['"standard"', '["standard"]', f'["{ENHANCED_CT}", "standard"]'])
def test_the_word_standard_adds_what_the_standard_defines(written: Callable[[str], Path], words: str) -> None:
    found = load(written(f"storage.additional_sop_classes = {words}"))
    assert ENHANCED_CT in found.sop_classes
    assert len(found.sop_classes) > 150
    assert len(found.storage.additional_sop_classes) == len(found.sop_classes) - 38


def test_a_class_of_the_statement_stays_as_the_statement_has_it(written: Callable[[str], Path]) -> None:
    found = load(written(f'storage.additional_sop_classes = ["{MR_IMAGE_STORAGE}", "1.2.3"]'))
    assert [c.uid for c in found.storage.additional_sop_classes] == ["1.2.3"]
    assert list(found.sop_classes) == [*conformance.sop_classes(), "1.2.3"]


# --- mistakes ------------------------------------------------------------------------------

AE_TITLE_ALLOWED = "allowed: 1 to 16 printable ASCII characters, without a backslash, beside outer spaces"
IP_ALLOWED = 'allowed: an IP address, "0.0.0.0" or "::" for all'
HOST_ALLOWED = "allowed: an IP address or a host name"
SERVICES_ALLOWED = 'allowed: an array of "verification" or "storage" or "query" or "retrieve" or "commitment"'
CLASSES_ALLOWED = (
    'allowed: an array of Storage SOP Class UIDs, or "standard" for all that PS3.4 Annex B defines'
)
URL_PARTS = "a port is from 1 to 65535; in a password, / : @ ? % are %2F %3A %40 %3F %25"
URL_ALLOWED = 'allowed: "", "sqlite:///path" or "postgresql://user@host:5432/database"'
ENDPOINT_ALLOWED = (
    'allowed: a server endpoint such as "tcp:11122" (127.0.0.1 unless interface= is another) or "unix:path"'
)
AUDIT_ALLOWED = 'allowed: the path of a file, "udp:host:port", "tcp:host:port" or "unix:/dev/log"'
LOCAL_KEYS = "allowed: ae_title, port, interface, max_associations, tls"
STORAGE_KEYS = "allowed: directory, minimum_free, maximum_object_size, additional_sop_classes, threads"
LOG_FILE_ALLOWED = 'allowed: a path, or "" for where twistd writes'
LEVELS_ALLOWED = (
    "allowed: a table of loggers' names and levels, such as "
    '{ sdcc = "info", "sdcc.association" = "debug" }; levels: debug, info, warn, error, critical'
)
TABLES_ALLOWED = (
    "allowed: [[local]], [[remote]], [access], [storage], [index], [query], [study], [association], [log], "
    "[tls], [manhole], [http], [audit]"
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # AE titles
        ('local = [{ ae_title = "" }]', f'[[local]][1].ae_title = "": {AE_TITLE_ALLOWED}'),
        ('local = [{ ae_title = "   " }]', f'[[local]][1].ae_title = "   ": {AE_TITLE_ALLOWED}'),
        (
            'local = [{ ae_title = "SEVENTEEN_LETTERS" }]',
            f'[[local]][1].ae_title = "SEVENTEEN_LETTERS": {AE_TITLE_ALLOWED}',
        ),
        ('local = [{ ae_title = "A\\\\B" }]', f'[[local]][1].ae_title = "A\\\\B": {AE_TITLE_ALLOWED}'),
        ('local = [{ ae_title = "A\\tB" }]', f'[[local]][1].ae_title = "A\\tB": {AE_TITLE_ALLOWED}'),
        ('local = [{ ae_title = "A\\n" }]', f'[[local]][1].ae_title = "A\\n": {AE_TITLE_ALLOWED}'),
        ('local = [{ ae_title = "RÖ" }]', f'[[local]][1].ae_title = "R\\u00d6": {AE_TITLE_ALLOWED}'),
        ("local = [{ ae_title = 1 }]", f"[[local]][1].ae_title = 1: {AE_TITLE_ALLOWED}"),
        # numbers
        (
            "local = [{}, { port = 65536 }]",
            "[[local]][2].port = 65536: allowed: a whole number from 0 to 65535 (0: any free port)",
        ),
        (
            'local = [{ port = "104" }]',
            '[[local]][1].port = "104": allowed: a whole number from 0 to 65535 (0: any free port)',
        ),
        (
            "local = [{ port = true }]",
            "[[local]][1].port = true: allowed: a whole number from 0 to 65535 (0: any free port)",
        ),
        (
            "local = [{ max_associations = 0 }]",
            "[[local]][1].max_associations = 0: allowed: a whole number from 1 to 100000",
        ),
        (
            "association.maximum_pdu_length = 4095",
            "[association].maximum_pdu_length = 4095: allowed: a whole number from 4096 to 131072",
        ),
        (
            "association.maximum_pdu_length = 131073",
            "[association].maximum_pdu_length = 131073: allowed: a whole number from 4096 to 131072",
        ),
        (
            "query.maximum_answers = -1",
            "[query].maximum_answers = -1: allowed: a whole number from 0 to 1000000000 (0: no limit)",
        ),
        ("storage.threads = 8.0", "[storage].threads = 8.0: allowed: a whole number from 1 to 256"),
        # times
        ("index.timeout = 0", "[index].timeout = 0: allowed: seconds from 0.1 to 3600"),
        ("index.timeout = nan", "[index].timeout = NaN: allowed: seconds from 0.1 to 3600"),
        ('index.timeout = "10"', '[index].timeout = "10": allowed: seconds from 0.1 to 3600'),
        ("index.timeout = true", "[index].timeout = true: allowed: seconds from 0.1 to 3600"),
        (
            "association.idle_timeout = inf",
            "[association].idle_timeout = Infinity: allowed: seconds from 0.1 to 86400",
        ),
        (
            "association.drain_timeout = -1",
            "[association].drain_timeout = -1: allowed: seconds from 0 to 3600 (0: end at once)",
        ),
        # addresses
        ('local = [{ interface = "eth0" }]', f'[[local]][1].interface = "eth0": {IP_ALLOWED}'),
        ('local = [{ interface = "localhost" }]', f'[[local]][1].interface = "localhost": {IP_ALLOWED}'),
        (
            'remote = [{ ae_title = "A", address = "192.168.10.256" }]',
            f'[[remote]][1].address = "192.168.10.256": {HOST_ALLOWED}',
        ),
        ('remote = [{ ae_title = "A", address = "" }]', f'[[remote]][1].address = "": {HOST_ALLOWED}'),
        (
            'remote = [{ ae_title = "A", address = "a..b" }]',
            f'[[remote]][1].address = "a..b": {HOST_ALLOWED}',
        ),
        ('remote = [{ ae_title = "A", address = "-a" }]', f'[[remote]][1].address = "-a": {HOST_ALLOWED}'),
        (
            'remote = [{ ae_title = "A", address = "a b" }]',
            f'[[remote]][1].address = "a b": {HOST_ALLOWED}',
        ),
        (
            'remote = [{ ae_title = "A", address = "a:104" }]',
            f'[[remote]][1].address = "a:104": {HOST_ALLOWED}',
        ),
        ('remote = [{ ae_title = "A" }]', f"[[remote]][1].address: missing; {HOST_ALLOWED}"),
        ('remote = [{ address = "::1" }]', f"[[remote]][1].ae_title: missing; {AE_TITLE_ALLOWED}"),
        # words
        (
            'remote = [{ ae_title = "A", address = "::1", services = ["store"] }]',
            f'[[remote]][1].services = ["store"]: {SERVICES_ALLOWED}',
        ),
        (
            'remote = [{ ae_title = "A", address = "::1", services = "storage" }]',
            f'[[remote]][1].services = "storage": {SERVICES_ALLOWED}',
        ),
        (
            'access.unknown_callers = "yes"',
            '[access].unknown_callers = "yes": allowed: "accept" or "loopback" or "reject"',
        ),
        (
            "access.unknown_callers = []",
            '[access].unknown_callers = []: allowed: "accept" or "loopback" or "reject"',
        ),
        ("access.check_address = 1", "[access].check_address = 1: allowed: true or false"),
        # paths, URLs, endpoints
        ('storage.directory = ""', '[storage].directory = "": allowed: a path'),
        ('storage.directory = "a\\u0000"', '[storage].directory = "a\\u0000": allowed: a path'),
        ("storage.directory = 2024-01-01", '[storage].directory = "2024-01-01": allowed: a path'),
        ('index.url = "sqlite:///"', f'[index].url = "sqlite:///": {URL_ALLOWED}'),
        ('index.url = "sqlite:///a\\u0000"', f'[index].url = "sqlite:///a\\u0000": {URL_ALLOWED}'),
        ('index.url = "mysql://host/a"', f'[index].url = "mysql://host/a": {URL_ALLOWED}'),
        ('index.url = "postgresql:"', f'[index].url = "postgresql:": {URL_ALLOWED}'),
        *(
            (f'index.url = "postgresql://{written}"', f'[index].url = "postgresql://{shown}": {problem}')
            for written, shown, problem in (
                ("u:secret@h:port/d", "u:***@h:port/d", f"{URL_PARTS}; {URL_ALLOWED}"),
                ("u:@secret@h/d", "u:***@h/d", f"{URL_PARTS}; {URL_ALLOWED}"),
                ("u:se@cret@h/d", "u:***@h/d", f"{URL_PARTS}; {URL_ALLOWED}"),
                ("u:1/secret@h/d", "u:***@h/d", URL_ALLOWED),
                ("u:/secret@h/d", "u:***@h/d", URL_ALLOWED),
                ("h:0/d?password=secret&port=1", "h:0/d?password=***&port=1", f"{URL_PARTS}; {URL_ALLOWED}"),
            )
        ),
        (
            'index.url = "postgres://sdcc:secret@host/a"',
            f'[index].url = "postgres://sdcc:***@host/a": {URL_ALLOWED}',
        ),
        (
            'index.url = "postgresql://host:99999/a"',
            f'[index].url = "postgresql://host:99999/a": {URL_PARTS}; {URL_ALLOWED}',
        ),
        ('http.endpoint = "11180"', f'[http].endpoint = "11180": {ENDPOINT_ALLOWED}'),
        (
            'http.endpoint = "tcp:99999"',
            f'[http].endpoint = "tcp:99999": a port is from 0 to 65535; {ENDPOINT_ALLOWED}',
        ),
        ('http.endpoint = "ssl:11180"', f'[http].endpoint = "ssl:11180": {ENDPOINT_ALLOWED}'),
        ('log.file = "a\\u0000b"', f'[log].file = "a\\u0000b": {LOG_FILE_ALLOWED}'),
        ("log.levels = 1", f"[log].levels = 1: {LEVELS_ALLOWED}"),
        (
            'log.levels = { "sdcc." = "info" }',
            f'[log].levels = {{"sdcc.": "info"}}: "sdcc." is no logger\'s name; {LEVELS_ALLOWED}',
        ),
        (
            'log.levels = { sdcc = "warning" }',
            f'[log].levels = {{"sdcc": "warning"}}: "warning" is no level; {LEVELS_ALLOWED}',
        ),
        ('audit.source_id = "PACS"', f"[audit].destination: missing; {AUDIT_ALLOWED}"),
        ('audit.destination = "udp:host"', f'[audit].destination = "udp:host": {AUDIT_ALLOWED}'),
        (
            'audit.destination = "tcp:host:70000"',
            f'[audit].destination = "tcp:host:70000": a port is from 1 to 65535; {AUDIT_ALLOWED}',
        ),
        ('audit.destination = "unix:"', f'[audit].destination = "unix:": {AUDIT_ALLOWED}'),
        # SOP classes
        (
            'storage.additional_sop_classes = "all"',
            f'[storage].additional_sop_classes = "all": {CLASSES_ALLOWED}',
        ),
        (
            "storage.additional_sop_classes = [1]",
            f"[storage].additional_sop_classes = [1]: {CLASSES_ALLOWED}",
        ),
        (
            'storage.additional_sop_classes = ["1..2"]',
            f'[storage].additional_sop_classes = ["1..2"]: "1..2" is no UID; {CLASSES_ALLOWED}',
        ),
        (
            'storage.additional_sop_classes = ["1.2.840.10008.1.20.1"]',
            '[storage].additional_sop_classes = ["1.2.840.10008.1.20.1"]: '
            f'"1.2.840.10008.1.20.1" is Storage Commitment Push Model SOP Class; {CLASSES_ALLOWED}',
        ),
        # names
        (
            "storage.minimum_fre = 0",
            f"[storage].minimum_fre: unknown; did you mean minimum_free? {STORAGE_KEYS}",
        ),
        ("storage.colour = 1", f"[storage].colour: unknown; {STORAGE_KEYS}"),
        (
            "local = [{ aet = 1 }]",
            f"[[local]][1].aet: unknown; {LOCAL_KEYS}",
        ),
        ('local = [{ "ä é" = 1 }]', f'[[local]][1]."\\u00e4 \\u00e9": unknown; {LOCAL_KEYS}'),
        ("[storge]", f"storge: unknown; did you mean [storage]? {TABLES_ALLOWED}"),
        ("[locals]", f"locals: unknown; did you mean [[local]]? {TABLES_ALLOWED}"),
        ("colour = 1", f"colour: unknown; {TABLES_ALLOWED}"),
        ("[local]", "local: must be an array of tables; write [[local]]"),
        ("local = [1]", "local: must be an array of tables; write [[local]]"),
        ("[[access]]", "access: must be a table; write [access]"),
        ("access = 1", "access: must be a table; write [access]"),
        # one against another
        (
            'local = [{ ae_title = "A" }, {}, { ae_title = " A " }]',
            '[[local]][3].ae_title = "A": [[local]][1], on the same port, has it',
        ),
        (
            "local = [{ max_associations = 2 }, { port = 104 }]",
            "[[local]][2].max_associations = 1: [[local]][1], of its title, differs",
        ),
        (
            'local = [{}, { ae_title = "B", interface = "0.0.0.0" }]',
            '[[local]][2].interface = "0.0.0.0": [[local]][1] has port 11112 on 127.0.0.1 already; '
            "allowed: the same interface, or another port",
        ),
        (
            'remote = [{ ae_title = "A", address = "::1" }, { ae_title = "A", address = "::2" }]',
            '[[remote]][2].ae_title = "A": [[remote]][1] has it; allowed: each AE title once',
        ),
        (
            "study = { stable_after = -1 }",
            "[study].stable_after = -1: allowed: seconds from 0 to 86400 (0: off)",
        ),
        ('study = { command = "echo" }', f'[study].command = "echo": {A_COMMAND}'),
        ("study = { command = [1] }", f"[study].command = [1]: {A_COMMAND}"),
        (
            'study = { command = ["bin/route"] }',
            '[study].command = ["bin/route"]: "bin/route" is neither an absolute path nor a name; '
            + A_COMMAND,
        ),
        (
            'study = { command = ["route", "{study}"] }',
            '[study].command = ["route", "{study}"]: "{study}" is unknown; there are study_instance_uid, '
            "patient_id, accession_number, series, instances, bytes, calling_ae, called_ae, "
            f"last_received_at, stable_at; {A_COMMAND}",
        ),
        ('study = { post = "ftp://host/" }', f'[study].post = "ftp://host/": {A_WEB_URL}'),
        ('study = { post = "https://" }', f'[study].post = "https://": {A_WEB_URL}'),
        ('study = { post = "http://u:secret@host/" }', f'[study].post = "http://u:***@host/": {A_WEB_URL}'),
        ('study = { post = "http://host:99999/" }', f'[study].post = "http://host:99999/": {A_WEB_URL}'),
        ('study = { post = "http://host/#part" }', f'[study].post = "http://host/#part": {A_WEB_URL}'),
        ('study = { post = "http://host/a b" }', f'[study].post = "http://host/a b": {A_WEB_URL}'),
        (
            'study = { stable_after = 0, command = ["true"] }',
            "[study].command: no study becomes stable; allowed: with [study].stable_after over 0",
        ),
        (
            'study = { stable_after = 0, post = "http://host/" }',
            "[study].post: no study becomes stable; allowed: with [study].stable_after over 0",
        ),
        # not TOML
        ("[storage\n", "not TOML: Expected ']' at the end of a table declaration (at line 1, column 9)"),
        (
            "[storage]\nthreads 1\n",
            "not TOML: Expected '=' after a key in a key/value pair (at line 2, column 9)",
        ),
    ],
)
def test_a_mistake_is_named_with_its_key_its_value_and_what_is_allowed(
    written: Callable[[str], Path], text: str, problem: str
) -> None:
    assert problems(written(text)) == (problem,)


def test_all_mistakes_are_reported_together(written: Callable[[str], Path]) -> None:
    found = problems(
        written(
            """
            colour = 1
            [[local]]
            port = -1
            ae_titel = "A"
            [[remote]]
            [storage]
            threads = 0
            directory = 1
            """
        )
    )
    assert [problem.partition(": ")[0].partition(" = ")[0] for problem in found] == [
        "[[local]][1].port",
        "[[local]][1].ae_titel",
        "[[remote]][1].ae_title",
        "[[remote]][1].address",
        "[storage].threads",
        "[storage].directory",
        "colour",
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path / "none.toml") == ("cannot be read: No such file or directory",)
    assert problems(tmp_path) == ("cannot be read: Is a directory",)


def test_a_file_that_is_not_utf_8_is_named_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "sdcc.toml"
    path.write_bytes(b'[[local]]\nae_title = "R\xd6"\n')
    assert problems(path) == ("byte 23 is not UTF-8",)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("", "SQLite, in {}/sdcc-data/index.sqlite"),
        ("sqlite:///db", "SQLite, in {}/db"),
        ("postgresql://", "PostgreSQL, postgresql://"),
        ("postgresql:///sdcc", "PostgreSQL, postgresql:///sdcc"),
        ("postgresql://?service=sdcc&password=secret", "PostgreSQL, postgresql://"),
        ("postgresql://sdcc@db:5432/sdcc", "PostgreSQL, postgresql://sdcc@db:5432/sdcc"),
        (
            "postgresql://sdcc:secret@[::1]:5432,b/sdcc?sslmode=require",
            "PostgreSQL, postgresql://sdcc@[::1]:5432,b/sdcc",
        ),
        (
            "postgresql://sdcc:%2Fse%40cret@%2Frun%2Fpostgresql/sdcc",
            "PostgreSQL, postgresql://sdcc@%2Frun%2Fpostgresql/sdcc",
        ),
    ],
)
def test_the_index_has_a_name_without_a_password(written: Callable[[str], Path], url: str, name: str) -> None:
    path = written(f'index.url = "{url}"')
    configuration = load(path)
    assert configuration.index_name == name.format(path.parent)
    assert (configuration.index_path is None) == url.startswith("postgresql")
    assert "secret" not in repr(configuration)


@pytest.mark.parametrize(
    ("text", "keys"),
    [],
)
def test_what_this_version_cannot_do_is_refused(
    written: Callable[[str], Path], text: str, keys: list[str]
) -> None:
    assert problems(written(text)) == tuple(f"{key}: this version does not provide it yet" for key in keys)


CERTIFICATE = 'tls = { certificate = "own.crt", private_key = "own.key" }\n'
PEER = '{ ae_title = "A", address = "a.example.org", port = 104'


def test_tls_is_read_from_its_own_table_with_paths_beside_the_file(written: Callable[[str], Path]) -> None:
    path = written(
        f"{CERTIFICATE} local = [{{ tls = true }}]\nremote = [{PEER}, tls = true, tls_name = 'b' }}]"
    )
    found = load(path)
    assert found.tls == TLS(certificate=path.parent / "own.crt", private_key=path.parent / "own.key")
    assert (found.uses_tls, found.locals[0].tls, found.remotes[0].tls_name) == (True, True, "b")
    assert not load(written(CERTIFICATE)).uses_tls


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "local = [{ tls = true }]",
            "[[local]][1].tls = true: there is no [tls], which names the certificate and its private key",
        ),
        (
            f"remote = [{PEER}, tls = true }}]",
            "[[remote]][1].tls = true: there is no [tls], which names the certificate and its private key",
        ),
        (
            f"remote = [{PEER}, tls_name = 'b' }}]",
            '[[remote]][1].tls_name = "b": means something with tls = true only',
        ),
    ],
)
def test_what_is_said_of_tls_where_there_is_none_is_an_error(
    written: Callable[[str], Path], text: str, found: str
) -> None:
    assert problems(written(text)) == (found,)


@pytest.mark.parametrize(
    ("endpoint", "meant"),
    [
        ("tcp:11180", "tcp:11180:interface=127.0.0.1"),
        ("unix:/run/sdcc", "unix:/run/sdcc:mode=666"),
        ("unix:http:mode=660", "unix:{directory}/http:mode=660"),
        ("systemd:index=0", "systemd:domain=INET:index=0"),
    ],
)
def test_http_is_at_an_endpoint_of_this_host(
    written: Callable[[str], Path], endpoint: str, meant: str
) -> None:
    """A socket file is for all who are on it, as a port is."""
    path = written(f'http.endpoint = "{endpoint}"')
    assert load(path).http == HTTP(endpoint=meant.format(directory=path.parent))
    assert load(written("")).http is None


def test_locals_of_one_port_agree_about_tls(written: Callable[[str], Path]) -> None:
    found = problems(written('local = [{ tls = true }, { ae_title = "B" }]'))
    assert "[[local]][2].tls = false: [[local]][1], on the same port, differs" in found


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=20))
def test_an_ae_title_is_allowed_as_ps3_5_has_it(title: str) -> None:
    """Compared with the rule in other words: printable, no backslash, 1 to 16 without outer spaces."""
    reader = Reader({"local": [{"ae_title": title}]}, Path("/"))
    found = [local.ae_title for local in reader.tables("local", Local).values()]
    trimmed = title.strip(" ")
    allowed = 1 <= len(trimmed) <= 16 and trimmed.isprintable() and "\\" not in trimmed
    assert (found, len(reader.problems)) == (([trimmed], 0) if allowed else ([], 1))


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("audit.log", "{}/audit.log"),
        ("/var/log/sdcc/audit.log", "/var/log/sdcc/audit.log"),
        ("unix:/dev/log", "unix:/dev/log"),
        ("unix:syslog", "unix:{}/syslog"),
        ("udp:[::1]:514", "udp:[::1]:514"),
        ("tcp:collector.example:601", "tcp:collector.example:601"),
    ],
)
def test_the_audit_trail_goes_where_the_file_says(
    written: Callable[[str], Path], text: str, destination: str
) -> None:
    path = written(f'audit = {{ destination = "{text}" }}')
    assert load(path).audit == Audit(destination=destination.format(path.parent))
