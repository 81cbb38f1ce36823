"""A real Dovecot for tests: on loopback, with a configuration, users, mail folders and certificates of its own."""

from __future__ import annotations

import getpass
import grp
import imaplib
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

START_S = 20
PASSWORD = "p4ssw0rd-for-tests"
# Dovecot reads no mail as root; nobody exists everywhere.
AS_ROOT = os.geteuid() == 0

CONFIGURATION = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{home}/certificate.pem
ssl_key = <{home}/key.pem
disable_plaintext_auth = no
{users}
auth_failure_delay = 0
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:~/Maildir
mail_max_userip_connections = 50
mail_fsync = never
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner} gid={group} home={home}/mail/%n
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  # Else whoever was refused once waits.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
{more}
"""


class Dovecot:
    """A running server, with any user and one password; a context manager, gone at its end."""

    def __init__(self, *, separator: str = ".", prefix: str = "", more: str = "") -> None:
        # Under /tmp, as a socket's path may have 107 bytes and pytest's own folders are private to root.
        self.home = Path(tempfile.mkdtemp(prefix="nl-imap-", dir="/tmp"))
        self.port, self.tls_port = _free_ports(2)
        self._separator, self._prefix, self._more = separator, prefix, more
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._prepare()
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def certificate(self) -> Path:
        """What vouches for the server, for those who choose to believe it: it has signed itself."""
        return self.home / "certificate.pem"

    def context(self) -> ssl.SSLContext:
        """TLS for a client that believes it."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def stop(self) -> None:
        """End it, with all that talk to it."""
        if self._server:
            with suppress(ProcessLookupError):
                os.killpg(self._server.pid, signal.SIGTERM)
            self._server.wait(10)
            self._server = None

    @contextmanager
    def client(self, user: str) -> Iterator[imaplib.IMAP4]:
        """Another mail program of that user's, signed in."""
        with imaplib.IMAP4("127.0.0.1", self.port, 20) as client:
            client.login(user, PASSWORD)
            yield client

    def put(self, user: str, mails: Sequence[bytes], *, folder: str = "INBOX", at: datetime | None = None) -> None:
        """Lay mails into a folder, as if they had come in at that time."""
        date = imaplib.Time2Internaldate(at) if at else None
        with self.client(user) as client:
            for mail in mails:
                kind, said = client.append(folder, "", date, mail)  # type: ignore[arg-type]
                assert kind == "OK", said

    def maildir(self, user: str, mails: Sequence[bytes]) -> None:
        """Lay many mails into the inbox at once, past the server."""
        home = self.home / "mail" / user
        for folder in ("new", "cur", "tmp"):
            (home / "Maildir" / folder).mkdir(parents=True)
        for number, mail in enumerate(mails):
            (home / "Maildir" / "new" / f"{1_700_000_000 + number}.M{number}.test").write_bytes(mail)
        if AS_ROOT:
            subprocess.run(["chown", "-R", "nobody", str(home)], check=True)

    def subjects(self, user: str, folder: str = "INBOX") -> list[str]:
        """The subjects of what lies in a folder, in order; a * in front of those that are marked as read."""
        with self.client(user) as client:
            if client.select(f'"{folder}"', readonly=True)[1] == [b"0"]:
                return []
            told = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
        return [
            ("*" if rb"\Seen" in each[0] else "") + each[1].decode().partition(":")[2].strip()
            for each in told
            if isinstance(each, tuple)
        ]

    def _prepare(self) -> None:
        self.home.chmod(0o755)
        (self.home / "mail").mkdir()
        owner = "nobody" if AS_ROOT else getpass.getuser()
        group = grp.getgrgid(pwd.getpwnam(owner).pw_gid).gr_name
        if AS_ROOT:
            shutil.chown(self.home / "mail", owner)
        _certify(self.home)
        ours = f"default_internal_user = {owner}\ndefault_internal_group = {group}\ndefault_login_user = {owner}"
        text = CONFIGURATION.format(
            home=self.home,
            users="" if AS_ROOT else ours,
            password=PASSWORD,
            owner=owner,
            group=group,
            port=self.port,
            tls_port=self.tls_port,
            separator=self._separator,
            prefix=self._prefix,
            more=self._more,
        )
        (self.home / "dovecot.conf").write_text(text)

    def _start(self) -> None:
        program = shutil.which("dovecot")
        assert program is not None
        self._server = subprocess.Popen(
            [program, "-F", "-c", str(self.home / "dovecot.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until = time.monotonic() + START_S
        while True:
            try:
                with imaplib.IMAP4("127.0.0.1", self.port, 5):
                    return
            except (OSError, imaplib.IMAP4.error):
                log = self.home / "log"
                assert time.monotonic() < until, log.read_text() if log.exists() else "no log"
                time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _certify(folder: Path) -> None:
    """A key, and a certificate for this machine that nobody but itself has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(secret)
