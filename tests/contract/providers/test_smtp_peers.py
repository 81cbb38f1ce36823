"""SMTP against servers that others wrote: Postfix's sink, and aiosmtpd with TLS and passwords."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from newsletter.delivery.outcome import Status
from newsletter.errors import ProviderBusy, ProviderRefused
from newsletter.providers.smtp import Smtp
from tests.contract.providers.clouds import never
from tests.contract.providers.contract import kept
from tests.contract.providers.letters import crowd

# aiosmtpd does not notice that its socket is behind TLS already.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

PASSWORD = "a password for tests only"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Any]:
    """Starts smtp-sink with options; what it takes is dumped as files, one a message."""
    running: list[subprocess.Popen[bytes]] = []
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents[:3]:
        parent.chmod(0o755)

    def start(*options: str) -> tuple[int, Path]:
        port = free_port()
        dump = tmp_path / f"dump{port}"
        dump.mkdir(mode=0o777)
        dump.chmod(0o777)
        program = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
        words = [program, "-u", "nobody", "-d", f"{dump}/%H%M%S.", *options, f"127.0.0.1:{port}", "100"]
        running.append(subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.DEVNULL))
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return port, dump
            time.sleep(0.05)
        raise AssertionError("smtp-sink did not start")

    yield start
    for process in running:
        process.kill()
        process.wait()


def dumped(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.stat().st_size]


@pytest.mark.needs("smtp-sink")
def test_postfix_takes_every_message_once(sink: Any) -> None:
    port, folder = sink()
    provider = Smtp(host="127.0.0.1", port=port, security="none", stop=never, connections=4)
    batch = crowd(200)
    receipts = kept(provider.send(batch))
    provider.close()
    assert {each.status for each in receipts.values()} == {Status.ACCEPTED}
    messages = dumped(folder)
    assert len(messages) == 200
    for row in batch.rows:
        (mine,) = [each for each in messages if f"<{row.ref}@".encode() in each]
        assert mine.partition(b"\n\n")[2].split() or mine.replace(b"\r\n", b"\n").endswith(
            batch.message(row).replace(b"\r\n", b"\n")
        )


@pytest.mark.needs("smtp-sink")
@pytest.mark.parametrize(
    ("options", "status"),
    [
        (("-r", "rcpt", "-b", "450 4.7.1 later"), Status.DEFERRED),
        (("-f", "rcpt", "-B", "550 5.1.1 unknown"), Status.REFUSED),
        (("-r", ".", "-b", "451 4.3.0 try again"), Status.DEFERRED),
    ],
)
def test_postfix_refuses_in_its_ways(sink: Any, options: tuple[str, ...], status: Status) -> None:
    port, _ = sink(*options)
    provider = Smtp(host="127.0.0.1", port=port, security="none", stop=never, connections=2)
    receipts = kept(provider.send(crowd(10)))
    provider.close()
    assert {each.status for each in receipts.values()} == {status}


@pytest.mark.needs("smtp-sink")
def test_postfix_takes_it_and_hangs_up(sink: Any) -> None:
    """The true case of doubt: it is in the sink's files, and we were never told."""
    port, folder = sink("-q", ".")
    provider = Smtp(host="127.0.0.1", port=port, security="none", stop=never, connections=1)
    found = {}
    with pytest.raises(ProviderBusy):
        found.update((each.seq, each) for each in provider.send(crowd(5)) if each)
    provider.close()
    doubtful = {seq for seq, each in found.items() if each.status is Status.UNKNOWN}
    time.sleep(0.2)
    assert len(dumped(folder)) == len(doubtful) == 3
    assert {each.status for seq, each in found.items() if seq not in doubtful} == {Status.PLANNED}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, its own authority, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Mailbox:
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[str] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 - its name
        self.got += envelope.rcpt_tos
        return "250 2.0.0 taken"


@pytest.fixture
def guarded(certificate: Path) -> Iterator[Any]:
    """aiosmtpd behind TLS and a password; gives the port and the mailbox."""
    controllers: list[Controller] = []

    def authenticate(_server: object, _session: object, _envelope: object, _mechanism: object, data: Any) -> AuthResult:
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    def start(security: str) -> tuple[int, Mailbox]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        box = Mailbox()
        options: dict[str, Any] = {"authenticator": authenticate, "auth_required": True}
        if security == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        else:
            options |= {"ssl_context": context, "auth_require_tls": False}
        controller = Controller(box, hostname="127.0.0.1", port=free_port(), **options)
        controller.start()
        controllers.append(controller)
        return controller.port, box

    yield start
    for each in controllers:
        each.stop()


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_it_signs_in_over_tls(guarded: Any, certificate: Path, security: str) -> None:
    port, box = guarded(security)
    trust = ssl.create_default_context(cafile=str(certificate))
    provider = Smtp(
        host="localhost",
        port=port,
        security=security,
        username="letter",
        password=PASSWORD,
        connections=2,
        stop=never,
        ssl_context=trust,
    )
    assert {each.status for each in kept(provider.send(crowd(30))).values()} == {Status.ACCEPTED}
    (look, _) = provider.examine()
    provider.close()
    assert "TLSv1.3, signed in" in look.detail
    assert sorted(box.got) == sorted(row.address for row in crowd(30).rows)


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(guarded: Any, security: str) -> None:
    port, box = guarded(security)
    provider = Smtp(host="localhost", port=port, security=security, stop=never)
    with pytest.raises(ProviderRefused, match="certificate does not hold"):
        list(provider.send(crowd(1)))
    assert box.got == []


def test_a_wrong_password_is_named_and_not_shown(guarded: Any, certificate: Path) -> None:
    port, _ = guarded("tls")
    trust = ssl.create_default_context(cafile=str(certificate))
    provider = Smtp(
        host="localhost",
        port=port,
        security="tls",
        username="letter",
        password="a wrong one",
        stop=never,
        ssl_context=trust,
    )
    with pytest.raises(ProviderRefused) as caught:
        list(provider.examine())
    assert "NEWSLETTER_SMTP_PASSWORD" in caught.value.hint
    assert "a wrong one" not in str(caught.value) + caught.value.hint
