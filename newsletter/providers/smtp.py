"""SMTP submission: any server, several connections, one round trip a message.

smtplib opens a connection, sees to TLS and signs in; after that, one loop drives all connections at once
(see `smtp_delivery`). Every message has one recipient, so every reply is about one delivery. SMTP knows no keys
and answers no questions: what was lost with a line stays in doubt until a person looks into the server's log.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta

from newsletter.delivery.message import Batch, Row
from newsletter.delivery.news import News
from newsletter.delivery.outcome import Event, Look, Receipt
from newsletter.errors import ProviderRefused
from newsletter.providers.dkim import Dkim
from newsletter.providers.smtp_delivery import Delivery
from newsletter.providers.smtp_lines import Lines
from newsletter.providers.submission import Submission

SIGNERS = 2  # threads; more gain nothing beside the loop
SIGN_AHEAD = 8  # messages a thread signs at once


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
        server = Submission(
            host=host,
            port=port,
            security=security,
            username=username,
            password=password,
            ssl_context=ssl_context,
        )
        self._lines = Lines(server, most=connections, recycle_after=messages_per_connection)
        self._bounces, self._dkim, self._stop = bounces, dkim, stop
        self._signers = ThreadPoolExecutor(SIGNERS, thread_name_prefix="dkim") if dkim else None
        # Few, since all of a batch is in doubt when its sender dies; but enough to keep every connection busy.
        self.batch_size = max(50, 4 * connections)

    def send(self, batch: Batch) -> Iterator[Receipt | None]:
        """Hand messages over on all connections, each receipt as its reply comes."""
        sender = self._envelope_senders(batch)
        return Delivery(
            batch, lines=self._lines, message=self._messages(batch), sender=sender, stop=self._stop
        ).receipts()

    def settle(self, batch: Batch) -> Iterator[Receipt | None]:  # noqa: ARG002 - the port's signature
        """Nothing: SMTP has no way to ask."""
        yield from ()

    def read_events(self, data: bytes) -> Iterator[Event]:  # noqa: ARG002 - the port's signature
        """Raises ProviderRefused: SMTP reports by mail only."""
        raise ProviderRefused(
            "SMTP reports no events", hint="bounces come by mail; settle doubts with newsletter resolve"
        )

    def departures(
        self,
        after: str,  # noqa: ARG002 - the port's signature
        *,
        now: datetime,  # noqa: ARG002
    ) -> Iterator[tuple[Sequence[News], str]]:
        """Nothing: bounces come back as mail."""
        yield from ()

    def examine(self) -> Iterator[Look]:
        """Whether the server can be reached and lets us in, and what it offers."""
        server = self._lines.server
        line = server.open()
        offers = [name for name in ("pipelining", "size", "dsn") if name in line.features]
        tls = line.sock.version() if isinstance(line.sock, ssl.SSLSocket) else "no TLS"
        who = "signed in" if server.signs_in else "not signed in"
        line.close(politely=True)
        detail = f"smtp, {server.place}, {tls}, {who}, offers {', '.join(offers) or 'nothing'}"
        yield Look(what="provider", ok=True, detail=detail)
        signs = f"signs by {self._dkim.kinds} for {self._dkim.domain}" if self._dkim else "left to the server"
        yield Look(what="DKIM", ok=True, detail=signs)

    def close(self) -> None:
        """Take leave of the server."""
        self._lines.close()
        if self._signers:
            self._signers.shutdown(cancel_futures=True)

    def _messages(self, batch: Batch) -> Callable[[Row], bytes]:
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

    def _envelope_senders(self, batch: Batch) -> Callable[[Row], str]:
        """The address that bounces go to: one of its own for each delivery, where there is a mailbox for them."""
        if not self._bounces:
            return lambda _row: batch.letter.sender[1]
        local, _, domain = self._bounces.rpartition("@")
        return lambda row: f"{local}+{row.ref}@{domain}"
