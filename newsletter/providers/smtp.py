"""SMTP submission: any server, several connections, one round trip a message.

smtplib opens a connection, sees to TLS and signs in; after that, one loop drives all connections at once
(see `pipeline`). Every message has one recipient, so every reply is about one delivery. SMTP knows no keys
and answers no questions: what was lost with a line stays in doubt until a person looks into the server's log.
"""

from __future__ import annotations

import re
import selectors
import ssl
import time
from collections import deque
from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

from newsletter.delivery.message import Batch, Row
from newsletter.delivery.outcome import Event, Look, Receipt, Status
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused
from newsletter.providers.dkim import Dkim
from newsletter.providers.pipeline import Envelope, Line, Verdict
from newsletter.providers.replies import Meaning, meaning_of
from newsletter.providers.submission import Submission

STOP_S = 5.0  # how long replies are waited for once the operator asked to stop
LIFE_EVERY_S = 5.0  # a sign of life while a server is silent
SIGNERS = 2  # threads; more gain nothing beside the loop
SIGN_AHEAD = 8  # messages a thread signs at once
BREAKS = 3  # connections that may break within a batch before the server is left alone
SUSPECTS = 3  # messages refused for what they say, in a row, before it is the letter and not the reader
_LOOK_S = 0.2


class Smtp:
    """Sends by SMTP."""

    name = "smtp"
    record_every = 50
    keeps_keys = timedelta(0)

    def __init__(  # noqa: PLR0913 - as many as a submission server has settings
        self,
        *,
        host: str,
        port: int,
        security: str,
        stop: Callable[[], bool],
        username: str = "",
        password: str = "",
        connections: int = 4,
        messages_per_connection: int = 0,
        bounces: str = "",
        dkim: Dkim | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Send by a server; `security` is tls, starttls or none. Nothing is opened yet."""
        self._server = Submission(
            host=host,
            port=port,
            security=security,
            username=username,
            password=password,
            ssl_context=ssl_context,
        )
        self.connections, self._recycle_after = connections, messages_per_connection
        self._bounces, self._dkim, self.stop = bounces, dkim, stop
        self._lines: list[Line] = []
        self._signers = ThreadPoolExecutor(SIGNERS, thread_name_prefix="dkim") if dkim else None
        # Few, since all of a batch is in doubt when its sender dies; but enough to keep every connection busy.
        self.batch_size = max(50, 4 * connections)

    def send(self, batch: Batch) -> Iterator[Receipt | None]:
        """Hand messages over on all connections, each receipt as its reply comes."""
        return _Delivery(self, batch).receipts()

    def settle(self, batch: Batch) -> Iterator[Receipt | None]:  # noqa: ARG002 - the port's signature
        """Nothing: SMTP has no way to ask."""
        yield from ()

    def read_events(self, data: bytes) -> Iterator[Event]:  # noqa: ARG002 - the port's signature
        """Raises ProviderRefused: SMTP reports by mail only."""
        raise ProviderRefused(
            "SMTP reports no events", hint="bounces come by mail; settle doubts with newsletter resolve"
        )

    def examine(self) -> Iterator[Look]:
        """Whether the server can be reached and lets us in, and what it offers."""
        line = self._server.open()
        offers = [name for name in ("pipelining", "size", "dsn") if name in line.features]
        tls = line.sock.version() if isinstance(line.sock, ssl.SSLSocket) else "no TLS"
        who = "signed in" if self._server.signs_in else "not signed in"
        line.close(politely=True)
        detail = f"smtp, {self._server.place}, {tls}, {who}, offers {', '.join(offers) or 'nothing'}"
        yield Look(what="provider", ok=True, detail=detail)
        signs = f"signs by {self._dkim.kinds} for {self._dkim.domain}" if self._dkim else "left to the server"
        yield Look(what="DKIM", ok=True, detail=signs)

    def close(self) -> None:
        """Take leave of the server."""
        for line in self._lines:
            line.close(politely=True)
        self._lines.clear()
        if self._signers:
            self._signers.shutdown(cancel_futures=True)

    def lines(self, wanted: int, *, busy: Container[Line]) -> list[Line]:
        """Open connections, at most *wanted*; what is worn out or broken is replaced, unless it is *busy*."""
        done = [each for each in self._lines if each.broken or (self.worn_out(each) and each not in busy)]
        for line in done:
            line.close(politely=True)
            self._lines.remove(line)
        missing = min(wanted, self.connections) - len(self._lines)
        if missing == 1:
            self._lines.append(self._server.open())
        elif missing > 1:
            with ThreadPoolExecutor(min(missing, 16)) as pool:
                opened = [pool.submit(self._server.open) for _ in range(missing)]
            self._lines += [each.result() for each in opened if not each.exception()]
            if not self._lines:
                opened[0].result()  # raises
        return list(self._lines)

    def worn_out(self, line: Line) -> bool:
        """Whether a connection has carried as many messages as it may."""
        return bool(self._recycle_after) and line.messages >= self._recycle_after

    def messages(self, batch: Batch) -> Callable[[Row], bytes]:
        """A function that gives a row's message; where they are signed, threads work ahead of it."""
        dkim = self._dkim
        if dkim is None or self._signers is None:
            return batch.message
        ahead: dict[int, tuple[Future[list[bytes]], int]] = {}

        def sign(rows: tuple[Row, ...]) -> list[bytes]:
            return [dkim.sign(batch.message(row)) for row in rows]

        for first in range(0, len(batch.rows), SIGN_AHEAD):
            some = batch.rows[first : first + SIGN_AHEAD]
            future = self._signers.submit(sign, some)
            ahead |= {row.seq: (future, index) for index, row in enumerate(some)}

        def message(row: Row) -> bytes:
            future, index = ahead[row.seq]
            return future.result()[index]

        return message

    def envelope_sender(self, batch: Batch, row: Row) -> str:
        """The address that bounces go to: one of its own for each delivery, where there is a mailbox for them."""
        if not self._bounces:
            return batch.letter.sender[1]
        local, _, domain = self._bounces.rpartition("@")
        return f"{local}+{row.ref}@{domain}"


class _Delivery:
    """One batch on its way over all connections."""

    def __init__(self, smtp: Smtp, batch: Batch) -> None:
        self._smtp, self._batch = smtp, batch
        self._todo = deque(batch.rows)
        self._message = smtp.messages(batch)
        self._receipts: deque[Receipt] = deque()
        self._suspects: list[tuple[Row, str]] = []
        self._accepted = False
        self._trouble: NewsletterError | None = None
        self._breaks = 0
        self._watched: dict[Line, int] = {}  # connections at work, and what each is watched for
        self._selector = selectors.DefaultSelector()
        self._features: Mapping[str, str] = {}
        self._most = 0  # octets the server takes at once, 0 where it does not say

    def receipts(self) -> Iterator[Receipt | None]:
        """The receipts of the batch. Raises what the port says, once everything under way has been answered."""
        try:
            yield from self._run()
        finally:
            self._selector.close()
        self._decide_on_suspects(last=True)
        yield from self._receipts
        if self._trouble:
            raise self._trouble

    def _run(self) -> Iterator[Receipt | None]:
        """Drive all connections until nothing is under way and nothing can be begun."""
        stop_at = alive_at = 0.0
        while True:
            now = time.monotonic()
            if self._stopping:
                self._give_back()
                stop_at = stop_at or now + STOP_S
            self._man()
            while self._receipts:
                yield self._receipts.popleft()
                alive_at = now
            if not self._watched:
                if not self._todo:
                    return
                continue
            if now - alive_at > LIFE_EVERY_S:
                alive_at = now
                yield None
            lines = [key.data for key, _ in self._selector.select(_LOOK_S)] or list(self._watched)
            for line in lines:
                line.exchange()
                if stop_at and now > stop_at and not line.broken:
                    line.broken = "stopped before it answered"
                    self._breaks = 0  # that is our doing
                self._harvest(line)

    @property
    def _stopping(self) -> bool:
        return self._trouble is not None or self._smtp.stop()

    def _man(self) -> None:
        """See that there are connections as long as there is something to begin, and that all of them are busy."""
        if not self._todo or self._stopping or len(self._watched) >= self._smtp.connections:
            return
        try:
            lines = self._smtp.lines(len(self._todo) + len(self._watched), busy=self._watched.keys())
        except (ProviderBusy, ProviderRefused) as err:
            self._trouble = err
            self._give_back()
            return
        for line in lines:
            self._features = line.features
            size = line.features.get("size", "")
            self._most = int(size) if size.isdigit() else 0
            if line not in self._watched and self._todo and line.begin(lambda line=line: self._take(line)):  # type: ignore[misc]
                self._watched[line] = selectors.EVENT_READ
                self._selector.register(line.sock, selectors.EVENT_READ, line)
                line.exchange()
                self._harvest(line)

    def _take(self, line: Line) -> Envelope | None:
        """The next message for a connection, made now; those that cannot go by SMTP are refused on the way."""
        while self._todo and not self._stopping:
            if self._smtp.worn_out(line):
                return None
            row = self._todo.popleft()
            # The list holds ASCII addresses only, domains in Punycode; whatever came round that goes nowhere.
            reason = "its address cannot stand in a command"
            if _COMMAND_SAFE.fullmatch(row.address):
                data = self._message(row)
                if not self._most or len(data) <= self._most:
                    return self._envelope(row, data)
                reason = f"longer than the {self._most:,} octets the server takes"
            self._receipts.append(Receipt(seq=row.seq, status=Status.REFUSED, reason=reason))
        return None

    def _envelope(self, row: Row, data: bytes) -> Envelope:
        mail, rcpt = f"MAIL FROM:<{self._smtp.envelope_sender(self._batch, row)}>", f"RCPT TO:<{row.address}>"
        if "size" in self._features:
            mail += f" SIZE={len(data)}"
        if "dsn" in self._features:
            mail += f" RET=HDRS ENVID={row.ref}"
            rcpt += f" NOTIFY=FAILURE,DELAY ORCPT=rfc822;{_xtext(row.address)}"
        # No line of ours begins with a dot: quoted-printable writes it as =2E.
        return Envelope(row=row, mail=f"{mail}\r\n".encode(), rcpt=f"{rcpt}\r\n".encode(), data=data + b".\r\n")

    def _harvest(self, line: Line) -> None:
        """Make receipts of what a connection heard, and of what was on it when it broke."""
        verdicts, line.verdicts = line.verdicts, []
        for verdict in verdicts:
            self._judge(verdict)
        if not line.broken and not line.idle:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.wants_write else 0)
            if wanted != self._watched[line]:
                self._watched[line] = wanted
                self._selector.modify(line.sock, wanted, line)
            return
        self._selector.unregister(line.sock)
        del self._watched[line]
        if line.broken:
            self._salvage(line)

    def _salvage(self, line: Line) -> None:
        """See to what was on a connection when it broke."""
        may, not_yet = line.rows
        for row in may:
            reason = f"the line broke before the answer: {line.broken}"
            self._receipts.append(Receipt(seq=row.seq, status=Status.UNKNOWN, reason=reason))
        self._todo.extendleft(reversed(not_yet))
        self._breaks += 1
        if self._breaks >= BREAKS and self._trouble is None:
            hint = "look at the server's log; the same command goes on later"
            self._trouble = ProviderBusy(f"connections break again and again: {line.broken}", hint=hint)
            self._give_back()

    def _judge(self, verdict: Verdict) -> None:
        row, step, reply = verdict
        if reply.ok:
            self._accepted = True
            self._receipts.append(Receipt(seq=row.seq, status=Status.ACCEPTED, provider_id=reply.said))
            self._decide_on_suspects()
            return
        meaning = meaning_of(step, reply)
        if meaning is Meaning.REFUSED:
            self._receipts.append(Receipt(seq=row.seq, status=Status.REFUSED, reason=reply.said))
        elif meaning is Meaning.DEFERRED:
            self._receipts.append(Receipt(seq=row.seq, status=Status.DEFERRED, reason=reply.said))
        elif meaning is Meaning.CONTENT:
            self._suspects.append((row, reply.said))
            self._decide_on_suspects()
        else:
            self._receipts.append(Receipt(seq=row.seq, status=Status.PLANNED, reason=reply.said))
            if meaning is Meaning.SETUP and not isinstance(self._trouble, ProviderRefused):
                hint = "look at [sender] address, [smtp] username and what the server says; then send again"
                self._trouble = ProviderRefused(f"the server refuses {step}: {reply.said}", hint=hint)
            elif meaning is Meaning.BUSY and self._trouble is None:
                hint = "set [provider] rate, if this comes often"
                self._trouble = ProviderBusy(f"the server wants us to wait: {reply.said}", hint=hint)

    def _decide_on_suspects(self, *, last: bool = False) -> None:
        """Whether messages were refused for their readers' sake or for the letter's."""
        if len(self._suspects) >= SUSPECTS and not self._accepted and not isinstance(self._trouble, ProviderRefused):
            hint = "look at the letter, SPF, DKIM and DMARC; then send again"
            self._trouble = ProviderRefused(f"the server refuses the letter: {self._suspects[-1][1]}", hint=hint)
        letter = isinstance(self._trouble, ProviderRefused)
        if self._accepted or letter or last:
            status = Status.PLANNED if letter and not self._accepted else Status.REFUSED
            self._receipts += [Receipt(seq=row.seq, status=status, reason=said) for row, said in self._suspects]
            self._suspects.clear()

    def _give_back(self) -> None:
        """Say of everything not begun that it did not leave."""
        while self._todo:
            self._receipts.append(Receipt(seq=self._todo.popleft().seq, status=Status.PLANNED, reason="not begun"))


_COMMAND_SAFE = re.compile(r"[!-;=?A-~]+@[!-;=?A-~]+")  # ASCII, one @, no blank, no angle bracket


def _xtext(address: str) -> str:
    """*address* as DSN parameters want it (RFC 3461 §4)."""
    return re.sub(r"[+=]", lambda found: f"+{ord(found[0]):02X}", address)
