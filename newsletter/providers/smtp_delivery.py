"""One batch on its way by SMTP: all connections driven in one loop, and what every reply means for a recipient."""

from __future__ import annotations

import re
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterator

from newsletter.delivery.message import Batch, Row
from newsletter.delivery.outcome import Receipt, Status
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused
from newsletter.providers.pipeline import Envelope, Line, Verdict
from newsletter.providers.replies import Meaning, meaning_of
from newsletter.providers.smtp_lines import Lines

STOP_S = 5.0  # how long replies are waited for once the operator asked to stop
LIFE_EVERY_S = 5.0  # a sign of life while a server is silent
ASLEEP_S = 60.0  # whoever was out for so long, half a lease, may have lost the batch
BREAKS = 3  # connections that may break within a batch before the server is left alone
SUSPECTS = 3  # messages refused for what they say, in a row, before it is the letter and not the reader
LATE_SUSPECTS = 10  # the same, once the server has taken some of this batch
_LOOK_S = 0.2


class Delivery:
    """One batch on its way over all connections."""

    def __init__(
        self,
        batch: Batch,
        *,
        lines: Lines,
        message: Callable[[Row], bytes],
        sender: Callable[[Row], str],
        stop: Callable[[], bool],
    ) -> None:
        """Carry *batch* over *lines*: `message` gives a row's message, `sender` where its bounces go."""
        self._lines, self._message, self._sender, self._stop = lines, message, sender, stop
        self._todo = deque(batch.rows)
        self._came_back: set[int] = set()  # rows whose connection broke before they had left
        self._receipts: deque[Receipt] = deque()
        self._suspects: list[tuple[Row, str]] = []
        self._accepted = False
        self._trouble: NewsletterError | None = None
        self._breaks = 0
        self._awake_at = elapsed()
        self._watched: dict[Line, int] = {}  # connections at work, and what each is watched for
        self._selector = selectors.DefaultSelector()

    def receipts(self) -> Iterator[Receipt | None]:
        """The receipts of the batch. Raises what the port says, once everything under way has been answered."""
        try:
            yield from self._run()
        finally:
            self._selector.close()
        self._decide_on_suspects(closed=True)
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
                yield from self._tell(self._receipts.popleft())
                alive_at = now
            if not self._watched and not self._todo:
                return
            if now - alive_at > LIFE_EVERY_S:
                yield from self._tell(None)
                alive_at = now
            lines = self._heard_from()
            before, self._awake_at = self._awake_at, elapsed()
            if self._awake_at - before > ASLEEP_S:
                self._give_up("this machine slept")
            elif stop_at and now > stop_at:
                self._give_up("stopped before it answered")
            else:
                for line in lines:
                    line.exchange()
                    self._harvest(line)

    def _tell(self, news: Receipt | None) -> Iterator[Receipt | None]:
        """Hand out *news*; how long that takes is for whoever records it to judge, and not counted as sleep."""
        before = elapsed()
        yield news
        self._awake_at += elapsed() - before

    def _heard_from(self) -> list[Line]:
        """The connections that have something for us; all, where none has, so that none is silent for too long."""
        if not self._watched:
            self._lines.wait(_LOOK_S)
        return [key.data for key, _ in self._selector.select(_LOOK_S if self._watched else 0)] or list(self._watched)

    def _give_up(self, why: str) -> None:
        """Break all connections at work, and begin nothing more: what has not left may not leave now."""
        self._give_back()
        for line in list(self._watched):
            line.broken, self._breaks = why, -1  # that is our doing
            self._harvest(line)
        self._give_back()

    @property
    def _stopping(self) -> bool:
        return self._trouble is not None or self._stop()

    def _man(self) -> None:
        """See that there are connections as long as there is something to begin, and that all of them are busy."""
        if not self._todo or self._stopping or len(self._watched) >= self._lines.most:
            return
        try:
            lines = self._lines.ready(len(self._todo) + len(self._watched), busy=self._watched.keys())
        except (ProviderBusy, ProviderRefused) as err:
            self._trouble = err
            self._give_back()
            return
        for line in lines:
            if line not in self._watched and self._todo and line.begin(lambda line=line: self._take(line)):  # type: ignore[misc]
                self._watched[line] = selectors.EVENT_READ
                self._selector.register(line.sock, selectors.EVENT_READ, line)
                line.exchange()
                self._harvest(line)

    def _take(self, line: Line) -> Envelope | None:
        """The next message for a connection, made now; those that cannot go by SMTP are refused on the way."""
        size = line.features.get("size", "")
        most = int(size) if size.isdigit() else 0  # octets the server takes at once
        while self._todo and not self._stopping:
            if self._lines.worn_out(line):
                return None
            row = self._todo.popleft()
            # The list holds ASCII addresses only, domains in Punycode; whatever came round that goes nowhere.
            reason = "its address cannot stand in a command"
            if _COMMAND_SAFE.fullmatch(row.address):
                data = self._message(row)
                if not most or len(data) <= most:
                    return self._envelope(row, data, line)
                reason = f"longer than the {most:,} octets the server takes"
            self._receipts.append(Receipt(seq=row.seq, status=Status.REFUSED, reason=reason))
        return None

    def _envelope(self, row: Row, data: bytes, line: Line) -> Envelope:
        mail, rcpt = f"MAIL FROM:<{self._sender(row)}>", f"RCPT TO:<{row.address}>"
        if "size" in line.features:
            mail += f" SIZE={len(data)}"
        if "dsn" in line.features:
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
        for row in reversed(not_yet):
            if row.seq in self._came_back and not self._stopping:
                # Twice is about this recipient, and must not stand in everybody else's way.
                reason = f"the line broke twice at this: {line.broken}"
                self._receipts.append(Receipt(seq=row.seq, status=Status.DEFERRED, reason=reason))
            else:
                self._came_back.add(row.seq)
                self._todo.appendleft(row)
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
            self._decide_on_suspects(closed=True)
            return
        meaning = meaning_of(step, reply)
        if meaning is Meaning.REFUSED:
            self._receipts.append(Receipt(seq=row.seq, status=Status.REFUSED, reason=reply.said))
        elif meaning in (Meaning.DEFERRED, Meaning.CLOSING):  # at the final dot: not taken, and not to be tried at once
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

    def _decide_on_suspects(self, *, closed: bool = False) -> None:
        """Whether messages were refused for their readers' sake or for the letter's; now, if the case is *closed*."""
        enough = LATE_SUSPECTS if self._accepted else SUSPECTS
        if len(self._suspects) >= enough and not isinstance(self._trouble, ProviderRefused):
            hint = "look at the letter, SPF, DKIM and DMARC; then send again"
            self._trouble = ProviderRefused(f"the server refuses the letter: {self._suspects[-1][1]}", hint=hint)
        letter = isinstance(self._trouble, ProviderRefused)
        if closed or letter:
            status = Status.PLANNED if letter else Status.REFUSED
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


def elapsed() -> float:
    """Seconds of a clock that goes on while the machine sleeps, and that nobody sets."""
    return time.time() if _SLEEPLESS is None else time.clock_gettime(_SLEEPLESS)


_SLEEPLESS: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
