"""TLS both ways: DCMTK, pynetdicom and hand-made peers call SDCC, and SDCC calls DCMTK and itself."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl

import pydicom
import pynetdicom
import pytest

from ..certificates import Authority, rsa_key
from .objects import CT, SHIPPED, data_set, data_set_of, data_set_sha256, new_uid
from .server import CONFIGURATION, SDCCCTL, run, until
from .test_retrieve import free_port
from .test_sending import storescp
from .wire import COMMAND, DATA, EXPLICIT, IMPLICIT, STATUS, VERIFICATION, Peer, echo_rq, p_datas, store_rq

FILE = SHIPPED / "test_files" / "CT_small.dcm"
MIB = 1 << 20


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def own(authority):
    """Certificates, beside the configuration: a path by the name of each."""
    directory = authority.path.parent
    other = Authority(directory, "other")
    authority.sign("server", "127.0.0.1", "localhost", key=rsa_key(2048))
    authority.sign("client")
    authority.sign("expired", begin=-9, end=-2)
    authority.sign("future", begin=2)
    authority.sign("elsewhere", "pacs.example.org")
    other.sign("stranger", "127.0.0.1")
    return directory


@pytest.fixture(scope="module")
def ports():
    return {title: free_port() for title in ("SCP", "OTHER_NAME")}


@pytest.fixture(scope="module")
def configuration(own, ports):
    return f"""
    [[local]]
    port = 0
    tls = true
    max_associations = 100
    [[local]]
    ae_title = "PLAIN"
    port = 0
    [[remote]]
    ae_title = "SCP"
    address = "127.0.0.1"
    port = {ports["SCP"]}
    tls = true
    [[remote]]
    ae_title = "OTHER_NAME"
    address = "127.0.0.1"
    port = {ports["SCP"]}
    tls = true
    tls_name = "pacs.example.org"
    [storage]
    minimum_free = 0
    [tls]
    certificate = "{own}/server.crt"
    private_key = "{own}/server.key"
    client_authorities = "{own}/authority.crt"
    """


def shown(own, name="client"):
    """DCMTK's options for who shows a certificate and knows the authority."""
    return ("+tls", own / f"{name}.key", own / f"{name}.crt", "+cf", own / "authority.crt")


@pytest.fixture(scope="module")
def context(own):
    """What a peer made of Python's own TLS shows and believes."""
    context = ssl.create_default_context(cafile=own / "authority.crt")
    context.load_cert_chain(own / "client.crt", own / "client.key")
    return context


@pytest.fixture(scope="module")
def sent(server, dcmtk, own):
    """The row of a file that storescu has sent over TLS."""
    arguments = (*shown(own), "-R", "-xi", "-aec", "SDCC", "127.0.0.1", server.port, FILE)
    done = run(dcmtk("storescu"), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return server.instances()[pydicom.dcmread(FILE).SOPInstanceUID]


@contextlib.contextmanager
def said(server):
    """The warnings in the log that the block leads to, without their time."""
    before = len(server.log())
    found = []
    yield found
    until(lambda: "warn]" in server.log()[before:], "the log has a warning")
    found += [line.partition("] ")[2] for line in server.log()[before:].splitlines() if "warn]" in line]


# --- peers that call ---


def test_storescu_sends_over_tls_and_the_log_has_the_name_in_its_certificate(server, sent):
    assert sent["transfer_syntax_uid"] == IMPLICIT
    line = r"SDCC<-STORESCU\(\d+\) opened from 127.0.0.1 over TLS, certificate of 'client',"
    until(lambda: re.search(line, server.log()))


@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
def test_echoscu_agrees_on_each_profile_of_bcp_195(server, dcmtk, own, profile):
    done = run(dcmtk("echoscu"), *shown(own), profile, "-aec", "SDCC", "127.0.0.1", server.port)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        (lambda own: shown(own, "expired"), "the certificate of 'expired' has expired"),
        (lambda own: shown(own, "future"), "the certificate of 'future' is not valid yet"),
        (
            lambda own: shown(own, "stranger"),
            "the certificate of 'stranger' is signed by none of the authorities",
        ),
        (lambda own: ("+tla", "-ic"), "the peer shows no certificate (peer did not return a certificate)"),
        (
            lambda own: (*shown(own)[:3], "+cf", own / "other.crt"),
            "the peer does not know who has signed our certificate (alert: unknown ca)",
        ),
        (
            lambda own: (*shown(own), "+pa"),
            "the peer offers no cipher suite with ECDHE and AEAD (no shared cipher)",
        ),
        (lambda own: (), "the peer speaks DICOM without TLS"),
    ],
    ids=["expired", "future", "stranger", "missing", "ours-unknown", "retired-profile", "plain"],
)
def test_a_peer_is_refused_in_one_line_that_says_why(server, dcmtk, own, options, cause):
    with said(server) as lines:
        done = run(dcmtk("echoscu"), *options(own), "-aec", "SDCC", "127.0.0.1", server.port)
    assert done.returncode == 1
    [line] = lines
    assert re.fullmatch(rf"127\.0\.0\.1:\d+ refused, TLS: {re.escape(cause)}", line)


def test_tls_1_1_is_refused(server, context):
    with said(server) as lines, socket.create_connection(server.address) as connection:
        # RFC 4346's own ClientHello: version 3.2, 32 bytes of random, one suite, no compression
        hello = b"\x03\x02" + bytes(32) + b"\0" + b"\0\x02\0\x2f" + b"\1\0"
        connection.sendall(
            b"\x16\x03\x01" + (len(hello) + 4).to_bytes(2) + b"\1" + len(hello).to_bytes(3) + hello
        )
        assert connection.recv(7) == b"\x15\x03\x02\0\2\2\x46", "the alert protocol_version"
    [line] = lines
    assert line.endswith("refused, TLS: the peer offers nothing newer than TLS 1.1 (unsupported protocol)")


def test_tls_at_a_plain_port_is_named(server, dcmtk):
    port = str(server.addresses["PLAIN"][1])
    with said(server) as lines:
        assert run(dcmtk("echoscu"), "+tla", "-ic", "-aec", "PLAIN", "127.0.0.1", port).returncode == 1
    [line] = lines
    assert line.endswith("PDU type 16H is none of 01H to 07H, but what TLS begins with")


def test_pynetdicom_verifies_over_tls(server, context):
    requestor = pynetdicom.AE()
    requestor.add_requested_context(VERIFICATION)
    association = requestor.associate(*server.address, ae_title="SDCC", tls_args=(context, "127.0.0.1"))
    assert association.send_c_echo().Status == 0
    association.release()


def test_an_object_of_100_mb_arrives_bit_for_bit_in_bounded_memory(server, context, sent):
    instance = new_uid()
    data = data_set(instance=instance, pixels=b"\x5a\xa5" * (50 * MIB))
    with Peer(server.address, tls=context) as peer:
        peer.associate((1, CT, EXPLICIT))
        peer.send(p_datas(1, COMMAND, store_rq(CT, new_uid())), p_datas(1, DATA, data_set(instance=instance)))
        peer.response()
        server.forget_peak_rss()
        before = server.rss()
        peer.send(p_datas(1, COMMAND, store_rq(CT, instance)), p_datas(1, DATA, data))
        assert peer.response()[STATUS] == 0
        grown = server.peak_rss() - before
    assert server.instances()[instance]["sha256"] == hashlib.sha256(data).hexdigest()
    assert grown < 48 * MIB


def test_who_does_not_read_over_tls_holds_nobody(server, context, connect):
    """It asks for so many answers that they fill its socket, and SDCC's."""
    slow = connect(server.address, tls=context)
    slow.associate((1, VERIFICATION, IMPLICIT))
    slow.socket.settimeout(0)
    asked = p_datas(1, COMMAND, echo_rq()) * 10_000
    with contextlib.suppress(ssl.SSLWantWriteError):
        while slow.socket.send(asked):
            pass
    with Peer(server.address, tls=context) as other:
        other.associate((1, VERIFICATION, IMPLICIT))
        assert other.echo() == 0


# --- peers that are called ---


@pytest.fixture
def scp(dcmtk, own, ports, tmp_path):
    """storescp over TLS; where it writes."""
    with storescp(dcmtk, tmp_path, *shown(own, "server"), "+xa", port=ports["SCP"]):
        yield tmp_path


def move(server, dcmtk, destination, study, called="PLAIN"):
    """By movescu, which knows no TLS itself."""
    key = ("-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}")
    port = str(server.addresses[called][1])
    return run(dcmtk("movescu"), *key, "-aec", called, "-aem", destination, "127.0.0.1", port)


def test_c_move_to_storescp_over_tls_gives_back_what_was_stored(server, dcmtk, scp, sent):
    study = sent["study_instance_uid"]
    done = move(server, dcmtk, "SCP", study)
    assert (done.returncode, done.stderr) == (0, "")
    [received] = scp.iterdir()
    assert data_set_sha256(received) == sent["sha256"]
    until(lambda: re.search(r"PLAIN->SCP\(\d+\) opened over TLS", server.log()))


def test_who_is_not_who_should_be_called_is_sent_nothing(server, dcmtk, scp, sent):
    with said(server) as lines:
        assert move(server, dcmtk, "OTHER_NAME", sent["study_instance_uid"]).returncode != 0
    assert "TLS: the certificate of 'server' is not for pacs.example.org" in "\n".join(lines)
    assert list(scp.iterdir()) == []


def test_sdccctl_verifies_and_sends_to_a_remote_with_tls(server, scp):
    done = server.sdccctl("echo", "SCP")
    assert done.returncode == 0, done.stderr
    done = server.sdccctl("send", "SCP", str(FILE))
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 sent, 0 failed\n", "")
    [received] = scp.iterdir()
    assert data_set_of(received) == data_set_of(FILE)


def test_sdccctl_calls_any_address_over_tls_where_it_is_told_to(server):
    called = f"SDCC@127.0.0.1:{server.port}"
    assert server.sdccctl("echo", "--tls", called).returncode == 0
    done = server.sdccctl("echo", called)
    assert (done.returncode, done.stdout) == (1, "")


def test_without_tls_in_the_configuration_there_is_no_calling_over_it(tmp_path):
    (tmp_path / "sdcc.toml").write_text(CONFIGURATION)
    done = run(*SDCCCTL, "--config", str(tmp_path / "sdcc.toml"), "echo", "--tls", "A@127.0.0.1:104")
    assert done.returncode == 2
    assert done.stderr.startswith("--tls: there is no [tls] in the configuration")


# --- another certificate ---


def serial_number(server, context):
    """Of the certificate that is shown to who calls."""
    with (
        socket.create_connection(server.address) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as tls,
    ):
        return tls.getpeercert()["serialNumber"]


@pytest.mark.usefixtures("sent")
def test_sighup_renews_the_certificate_and_open_associations_go_on(
    server, dcmtk, authority, context, connect
):
    """Until the files can be used, the old one is shown."""
    own = authority.path.parent
    here = connect(server.address, tls=context)
    here.associate((1, VERIFICATION, IMPLICIT))
    before = serial_number(server, context)
    (own / "server.key").write_text("in the middle of being written")
    [problem] = server.hang_up()
    assert problem == (
        f"The configuration stays as it is: [tls].private_key: {own}/server.key is no private key in PEM"
    )
    assert serial_number(server, context) == before
    authority.sign("server", "127.0.0.1", "localhost")
    assert server.hang_up() == ["The configuration was read again: nothing has changed"]
    until(lambda: "the certificates of [tls] were read: 'server', valid until" in server.log())
    assert serial_number(server, context) != before
    assert here.echo() == 0
    file = FILE.with_name("MR_small.dcm")
    done = run(dcmtk("storescu"), *shown(own), "-R", "-xi", "-aec", "SDCC", "127.0.0.1", server.port, file)
    assert (done.returncode, done.stderr) == (0, "")
    assert pydicom.dcmread(file).SOPInstanceUID in server.instances()
