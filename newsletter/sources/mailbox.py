"""A mailbox, over IMAP (RFC 3501): what came in since the last time, and where it goes once it is dealt with.

Nothing is marked as read by looking at it. A mail is fetched up to a bound and no answer may be longer, so that
neither a huge mail nor a server gone wrong takes all memory.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, Self

from newsletter.errors import NewsletterError, SettingsError

PATIENCE_S = 60.0
FIRST_BYTES = 128 * 1024  # of a mail: what a report has to say stands before the letter that it returns
_AGAIN = "what was dealt with by then stays so; run newsletter inbox again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where a mailbox is, who we are to it, and which of its folders are ours; `done` may be empty."""

    host: str
    port: int
    security: str  # tls, or none on this machine
    username: str = field(repr=False)  # often an address
    password: str = field(repr=False)
    folder: str
    done: str

    @property
    def place(self) -> str:
        """The server, for people."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A mail as it lies there: its number, when it came in (aware, in UTC), and its beginning."""

    uid: int
    at: datetime
    raw: bytes


class Mailbox:
    """An open folder; a context manager. `validity` changes when the server gives its mails new numbers."""

    def __init__(
        self,
        account: Account,
        *,
        look_only: bool = False,
        context: ssl.SSLContext | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Open the folder of *account*. Raises SettingsError or NewsletterError."""
        if account.security == "none" and not _is_here(account.host):
            raise SettingsError("the password would travel unprotected", at="[inbox] security", hint='set it to "tls"')
        self._account = account
        if account.security != "none":
            context = context or ssl.create_default_context()
        hint = "look at [inbox] host, port and security, and at the network"
        with _in_words(account, "cannot be reached", hint=hint):
            self._line = _Line(account.host, account.port, context=context, patience_s=patience_s)
        try:
            self._sign_in()
            with self._talk():
                self._offers = frozenset(re.findall(r"[\w=+-]+", str(self._line.capability()[1][-1]).upper()))
                self._prefix, self._between = self._namespace()
            self.validity = self._select(look_only=look_only)
        except BaseException:
            self._hang_up()
            raise

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, failed: type[BaseException] | None, *_exc: object) -> None:
        """Take leave, or hang up where the talk broke off."""
        if failed is None:
            with suppress(imaplib.IMAP4.error, OSError):
                self._line.logout()
        self._hang_up()

    def after(self, uid: int) -> list[int]:
        """The numbers of the mails that came in after number *uid*, the oldest first."""
        with self._talk():
            told = self._done("FETCH", self._line.uid("FETCH", f"{uid + 1}:*", "(UID FLAGS)"))
        found = [(_number(line), line) for line in told if isinstance(line, bytes)]
        # The last mail is always among them, however old (RFC 3501 §6.4.8); what is to be deleted is done with.
        return sorted(number for number, line in found if number > uid and rb"\Deleted" not in line)

    def fetch(self, uids: Sequence[int]) -> list[Arrival]:
        """These mails, except those that somebody took away meanwhile."""
        wanted = f"(UID INTERNALDATE BODY.PEEK[]<0.{FIRST_BYTES}>)"
        broken = f"the line broke at mails {uids[0]} to {uids[-1]}"
        hint = f"{_AGAIN}; if it ends there every time, one of these mails is damaged"
        with _in_words(self._account, broken, hint=hint):
            answer = self._line.uid("FETCH", _set_of(uids), wanted)
            # NO may only mean that some are gone; the library keeps the others for whoever asks for them.
            told = answer[1] if answer[0] == "OK" else self._line.response("FETCH")[1]
            found = [arrival for arrival in _arrivals(told) if arrival.uid in uids]
            if not found:
                self._done("FETCH", answer)
            return found

    def put_away(self, uids: Sequence[int]) -> None:
        """Move these mails to where they go when they are dealt with; without such a place, mark them as read."""
        numbers, line = _set_of(uids), self._line
        with self._talk():
            if not self._account.done:
                self._done("STORE", line.uid("STORE", numbers, "+FLAGS.SILENT", r"(\Seen)"))
                return
            done = self._name(self._account.done)
            line.create(done)  # NO if it is there
            if "MOVE" in self._offers:
                self._done("MOVE", line.uid("MOVE", numbers, done))
                return
            self._done("COPY", line.uid("COPY", numbers, done))
            self._done("STORE", line.uid("STORE", numbers, "+FLAGS.SILENT", r"(\Deleted)"))
            if "UIDPLUS" in self._offers:  # a plain EXPUNGE would take away what others have marked
                self._done("EXPUNGE", line.uid("EXPUNGE", numbers))

    def _sign_in(self) -> None:
        account = self._account
        if "AUTH=PLAIN" not in self._line.capabilities:
            hint = "it needs to offer AUTH=PLAIN; look at [inbox] port and security"
            raise SettingsError("it offers no way to sign in with a password", at=account.place, hint=hint)
        words = f"\0{account.username}\0{account.password}".encode()
        with self._talk():
            try:
                self._line.authenticate("PLAIN", lambda _challenge: words)
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as err:
                raise self._kept_out(_code(str(err))) from None

    def _kept_out(self, said: str) -> NewsletterError:
        place = self._account.place
        if said in ("UNAVAILABLE", "INUSE", "LIMIT"):
            return NewsletterError(f"it cannot let us in just now ({said})", at=place, hint="try again later")
        hint = "look at [inbox] username and NEWSLETTER_INBOX_PASSWORD; some providers want a password for programs"
        return SettingsError("it does not let us in", at=place, hint=hint)

    def _namespace(self) -> tuple[str, str]:
        """What the names of our own folders begin with, and what stands between their parts (RFC 2342)."""
        told = self._line.namespace()[1][-1] if "NAMESPACE" in self._offers else None
        found = re.match(rb'\(\("([^"\\]*)" "(.)"', told or b"")
        return (found[1].decode("ascii", "replace"), found[2].decode("ascii", "replace")) if found else ("", "/")

    def _select(self, *, look_only: bool) -> int:
        account = self._account
        with self._talk():
            try:
                kind, _ = self._line.select(self._name(account.folder), readonly=look_only)
            except imaplib.IMAP4.readonly:
                hint = "give its user the right to move mails"
                raise SettingsError("the folder may only be read", at=account.place, hint=hint) from None
            if kind != "OK":
                hint = "look at [inbox] folder; INBOX is the one that every mailbox has"
                raise SettingsError(f"there is no folder {account.folder!r}", at=account.place, hint=hint)
            return int(self._line.response("UIDVALIDITY")[1][0] or 0)

    def _name(self, folder: str) -> str:
        """A folder's name as the server has it, quoted."""
        if folder.upper() != "INBOX":
            folder = folder.replace("/", self._between)
            folder = folder if folder.startswith(self._prefix) else self._prefix + folder
        return '"' + re.sub(r'(["\\])', r"\\\1", _in_utf7(folder)) + '"'

    def _talk(self) -> AbstractContextManager[None]:
        return _in_words(self._account, "the line broke", hint=_AGAIN)

    def _done(self, what: str, answer: tuple[str, list[Any]]) -> list[Any]:
        """What was answered. Raises NewsletterError if it was no."""
        kind, told = answer
        if kind != "OK" and _code(str(told)) != "EXPUNGEISSUED":  # somebody else took one of them away: as good
            raise NewsletterError(f"it refuses {what}{_shown(str(told))}", at=self._account.place, hint=_AGAIN)
        return told

    def _hang_up(self) -> None:
        with suppress(OSError):
            self._line.shutdown()


class _Line(imaplib.IMAP4):
    """As the library's, and in any case closed where TLS fails, and with no answer of any length."""

    def __init__(self, host: str, port: int, *, context: ssl.SSLContext | None, patience_s: float) -> None:
        self._context = context
        super().__init__(host, port, patience_s)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout)
        if self._context is None:
            return plain
        try:
            return self._context.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

    def read(self, size: int) -> bytes:
        if size > FIRST_BYTES:
            raise self.abort("longer than asked for")
        return super().read(size)


@contextmanager
def _in_words(account: Account, broken: str, *, hint: str) -> Iterator[None]:
    """Errors of the line as ours; none of them repeats what the server said, which may hold an address."""
    try:
        yield
    except ssl.SSLCertVerificationError as err:
        hint = "look at [inbox] host: it must be the name in the certificate"
        why = f"its certificate does not hold: {err.verify_message}"
        raise SettingsError(why, at=account.place, hint=hint) from None
    except (imaplib.IMAP4.error, OSError) as err:
        why = "it hung up, or speaks no IMAP" if isinstance(err, imaplib.IMAP4.error) else type(err).__name__
        why = "no answer in time" if isinstance(err, TimeoutError) else why
        raise NewsletterError(f"{broken}: {why}", at=account.place, hint=hint) from None


def _arrivals(told: Sequence[Any]) -> Iterator[Arrival]:
    """The mails in an answer: for each its data in any order, and its beginning as a literal in between."""
    words, raw = b"", b""
    for each in [*told, b"0 ("]:
        head, literal = each if isinstance(each, tuple) else (each or b"", None)
        if re.match(rb"\d+ \(", head):
            if b"BODY[" in words:
                yield Arrival(uid=_number(words), at=_instant(words), raw=raw)
            words, raw = b"", b""
        words += head
        raw = raw if literal is None else literal


def _number(words: bytes) -> int:
    found = re.search(rb"\bUID (\d{1,10})\b", words)
    return int(found[1]) if found else 0


def _instant(words: bytes) -> datetime:
    found = re.search(rb'INTERNALDATE "([^"]{1,40})"', words)
    try:
        return (
            parsedate_to_datetime(found[1].decode().strip()).astimezone(UTC)
            if found
            else datetime.fromtimestamp(0, UTC)
        )
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0, UTC)


def _set_of(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _code(said: str) -> str:
    """The word for programs in what a server said (RFC 5530)."""
    found = re.search(r"\[([A-Z][A-Z-]{1,30})\]", said)
    return found[1] if found else ""


def _shown(said: str) -> str:
    code = _code(said)
    return f" ({code})" if code else ""


def _in_utf7(name: str) -> str:
    """A folder's name as IMAP writes it (RFC 3501 §5.1.3)."""

    def shifted(found: re.Match[str]) -> str:
        if found[0] == "&":
            return "&-"
        return "&" + b64encode(found[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"

    return re.sub(r"&|[^\x20-\x7e]+", shifted, name)


def _is_here(host: str) -> bool:
    """Whether *host* is this machine, by name or address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
