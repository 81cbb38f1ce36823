"""Mailgun: a thousand readers a call, merged there; one bad address makes it refuse the call, so it is looked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import quote, urlencode

from requests.auth import HTTPBasicAuth

from newsletter.delivery.message import Batch, Body, Row
from newsletter.delivery.outcome import Event, Look, Receipt, Status
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused, QuotaReached
from newsletter.providers.http import CALL_S, Answer, DoubtfulCall, connect, read_wait, redacted, to_json
from newsletter.providers.merge import Merge, Syntax
from newsletter.providers.wording import json_lines, label, mailbox, unfolded

BATCH = 1000
CALL_BYTES = 20 * 1024 * 1024
OPTION_BYTES = 16 * 1024  # of all o:, h: and v: fields together
TRUSTED_AFTER = timedelta(minutes=30)  # the order of events is not strict; an older time range is complete
KEPT_FOR = timedelta(days=1)  # events are kept at least so long on every plan
PAGES = 100  # of 300 events

SYNTAX = Syntax(before="%recipient.", after="%", trap="%recipient")


class Meaning(NamedTuple):
    """What an answer means: `raised` is None where the call is looked at more closely."""

    status: int
    says: str  # a regular expression for its message
    raised: type[NewsletterError] | None
    hint: str


ERRORS = (
    Meaning(400, r"not a valid address", None, "look at the address"),
    Meaning(400, r"Too many recipients", ProviderRefused, "please report this: a call has at most 1,000"),
    Meaning(400, r"recipient-variables", ProviderRefused, "please report this: our JSON should be right"),
    Meaning(400, r"try again after", ProviderBusy, "set [provider] rate, if this comes often"),
    Meaning(400, r"limit exceeded", QuotaReached, "wait, or take a larger plan"),
    Meaning(400, r"not allowed to send", ProviderRefused, "look at the domain's state at Mailgun"),
    Meaning(400, r"", ProviderRefused, "look at what it says; nothing was sent"),
    Meaning(401, r"", ProviderRefused, "set NEWSLETTER_MAILGUN_API_KEY to a key that is valid"),
    Meaning(402, r"", QuotaReached, "look at the account's payments and plan at Mailgun"),
    Meaning(403, r"", ProviderRefused, "the account may not send yet, or not from here: ask Mailgun"),
    Meaning(404, r"", ProviderRefused, "look at [mailgun] domain and region: a domain lives in one region only"),
    Meaning(413, r"", ProviderRefused, "make the letter smaller"),
    Meaning(420, r"", QuotaReached, "a young account has hourly limits: wait, or ask Mailgun to lift them"),
    Meaning(429, r"", ProviderBusy, "set [provider] rate, if this comes often"),
)


class Mailgun:
    """Sends by Mailgun's messages API."""

    name = "mailgun"
    batch_size = BATCH
    record_every = BATCH
    keeps_keys = timedelta(0)

    def __init__(
        self,
        *,
        url: str,
        domain: str,
        api_key: str,
        sandbox: bool,
        stop: Callable[[], bool],
        clock: Callable[[], datetime],
        call_s: float = CALL_S,
    ) -> None:
        """Call the API at *url* for a sending *domain*; with *sandbox*, nothing is delivered."""
        self._http = connect(self.name, url, HTTPBasicAuth("api", api_key), stop, call_s=call_s)
        self._domain, self._sandbox, self._stop, self._clock = domain, sandbox, stop, clock

    def send(self, batch: Batch) -> Iterator[Receipt | None]:
        """One call for each variant of the letter and a thousand readers."""
        for variant, body in enumerate(batch.letter.bodies):
            rows = [row for row in batch.rows if row.variant == variant]
            for some in _without_twins(rows):
                yield from self._merge(batch, body, some)

    def settle(self, batch: Batch) -> Iterator[Receipt | None]:
        """Look for the deliveries among the events that bear the letter's tag.

        What is not there was not accepted, once the events of that time are complete; while they may not be,
        and when they may be gone already, it stays in doubt.
        """
        wanted = {row.ref: row for row in batch.rows}
        age = self._clock() - batch.claimed_at
        for event in self._events(batch):
            row = wanted.pop(event.ref, None)
            if row is not None:
                yield Receipt(
                    seq=row.seq,
                    status=Status.REFUSED if event.status is Status.REFUSED else Status.ACCEPTED,
                    provider_id=event.provider_id,
                    reason="found among Mailgun's events",
                )
        if TRUSTED_AFTER <= age < KEPT_FOR:
            for row in wanted.values():
                yield Receipt(seq=row.seq, status=Status.PLANNED, reason="not among Mailgun's events")

    def read_events(self, data: bytes) -> Iterator[Event]:
        """Webhook payloads or items of the events API, one JSON object a line."""
        for record in json_lines(data):
            inner = record.get("event-data", record)
            event = _event(inner) if isinstance(inner, dict) else None
            if event is not None:
                yield event

    def examine(self) -> Iterator[Look]:
        """Whether the key is right and the domain may send. What is left of the quota, Mailgun does not tell."""
        answer = self._http.get(f"/v3/domains/{quote(self._domain)}")
        if answer.status != 200:
            raise _error(answer)
        found = answer.data.get("domain", {}) if isinstance(answer.data, dict) else {}
        state = str(found.get("state", "unknown"))
        fix = "" if state == "active" else "set the domain's DNS records as Mailgun shows them"
        sandbox = "; sandbox: nothing is delivered" if self._sandbox else ""
        yield Look(
            what="provider", ok=state == "active", detail=f"mailgun, {self._domain} is {state}{sandbox}", fix=fix
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _merge(self, batch: Batch, body: Body, rows: Sequence[Row]) -> Iterator[Receipt]:
        """Hand over rows of one variant, in as many calls as their size needs."""
        merge = Merge(SYNTAX)
        fields = self._fields(batch, body, merge)
        room = CALL_BYTES - sum(len(name) + len(value) for name, value in fields)
        some: list[tuple[Row, str]] = []
        size = 0
        for row in rows:
            values = merge.values(row.values)
            if values is None:
                reason = "a value of this reader looks like a placeholder of Mailgun's"
                yield Receipt(seq=row.seq, status=Status.HELD, reason=reason)
                continue
            said = to_json({**values, "ref": row.ref}).decode()
            if some and size + len(said) > room:
                yield from self._call(fields, some)
                some, size = [], 0
            some.append((row, said))
            size += len(said) + len(row.address) + len(row.name) + 64
        if some:
            yield from self._call(fields, some)

    def _fields(self, batch: Batch, body: Body, merge: Merge) -> list[tuple[str, str]]:
        """What all readers of a call have in common. Raises ProviderRefused where there is too much of it."""
        letter = batch.letter
        options = [("o:tag", label(letter.issue_id)), ("o:tracking", "no"), ("v:run", label(letter.issue_id))]
        options += [("v:ref", "%recipient.ref%")]
        options += [("o:testmode", "yes")] if self._sandbox else []
        options += [("h:Reply-To", letter.reply_to)] if letter.reply_to else []
        for name, pieces in letter.own_headers:
            options.append((f"h:{name}", unfolded(merge.template(pieces).encode())))
        if sum(len(name) + len(value) for name, value in options) > OPTION_BYTES:
            raise ProviderRefused("the headers are too long for Mailgun", hint="shorten the names in newsletter.toml")
        return [
            ("from", mailbox(*letter.sender)),
            ("subject", merge.template(letter.subject)),
            ("text", merge.template(body.text)),
            ("html", merge.template(body.html)),
            *options,
        ]

    def _call(self, fields: list[tuple[str, str]], rows: Sequence[tuple[Row, str]]) -> Iterator[Receipt]:
        """The receipts of one call; where one address made Mailgun refuse it, of two with half the rows each."""
        if self._stop():
            yield from (Receipt(seq=row.seq, status=Status.PLANNED, reason="asked to stop") for row, _ in rows)
            return
        to = [("to", mailbox(row.name, row.address)) for row, _ in rows]
        variables = ",".join(f"{to_json(row.address).decode()}:{said}" for row, said in rows)
        form = [*fields, *to, ("recipient-variables", "{" + variables + "}")]
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            answer = self._http.post(f"/v3/{quote(self._domain)}/messages", urlencode(form).encode(), headers)
        except DoubtfulCall as err:
            yield from _all(rows, Status.UNKNOWN, str(err))
            return
        name = answer.data.get("id") if isinstance(answer.data, dict) else None
        if answer.status == 200 and isinstance(name, str) and name:
            yield from _all(rows, Status.ACCEPTED, "", provider_id=name.strip("<>"))
        elif answer.status == 200 and "Magnificent" in answer.text("message"):
            raise ProviderRefused("Mailgun's address is not complete", hint="look at [mailgun] domain and url")
        elif answer.status == 200 or answer.status >= 500:
            yield from _all(rows, Status.UNKNOWN, f"Mailgun's answer does not say ({answer.text('message')})")
        elif _meaning(answer).raised is not None:
            raise _error(answer)
        elif len(rows) == 1:
            yield from _all(rows, Status.REFUSED, answer.text("message"))
        else:
            middle = len(rows) // 2
            yield from self._call(fields, rows[:middle])
            yield from self._call(fields, rows[middle:])

    def _events(self, batch: Batch) -> Iterator[Event]:
        """What happened to messages of the letter since a little before the claim."""
        begin = (batch.claimed_at - timedelta(minutes=5)).timestamp()
        query = {"begin": f"{begin:.0f}", "ascending": "yes", "limit": "300", "tags": label(batch.letter.issue_id)}
        path = f"/v3/{quote(self._domain)}/events?{urlencode(query)}"
        for _ in range(PAGES):
            answer = self._http.get(path)
            if answer.status != 200 or not isinstance(answer.data, dict):
                raise _error(answer)
            items = answer.data.get("items") or []
            yield from (event for event in map(_event, items) if event is not None)
            path = str((answer.data.get("paging") or {}).get("next", ""))
            if not items or not path:
                return
        raise ProviderBusy("Mailgun has more events than we look through", hint="settle by hand: newsletter resolve")


EVENTS = {
    "accepted": Status.ACCEPTED,
    "delivered": Status.DELIVERED,
    "rejected": Status.REFUSED,
    "complained": Status.COMPLAINED,
}


def _event(item: dict[str, object]) -> Event | None:
    kind = str(item.get("event"))
    permanent = kind == "failed" and item.get("severity") == "permanent"
    status = Status.BOUNCED if permanent else EVENTS.get(kind)
    variables, message = item.get("user-variables"), item.get("message")
    if status is None or not isinstance(variables, dict):
        return None
    headers = message.get("headers") if isinstance(message, dict) else None
    name = headers.get("message-id") if isinstance(headers, dict) else ""
    reason = redacted(str(item.get("reason", ""))) if status in (Status.BOUNCED, Status.REFUSED) else ""
    return Event(ref=str(variables.get("ref", "")), status=status, provider_id=str(name or ""), reason=reason)


def _without_twins(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """*rows* in lists of at most a call's worth in which no address stands twice: variables go by the address."""
    left = list(rows)
    while left:
        seen: dict[str, Row] = {}
        later = []
        for row in left:
            if row.address.lower() in seen or len(seen) == BATCH:
                later.append(row)
            else:
                seen[row.address.lower()] = row
        yield list(seen.values())
        left = later


def _all(rows: Sequence[tuple[Row, str]], status: Status, reason: str, *, provider_id: str = "") -> Iterator[Receipt]:
    return (Receipt(seq=row.seq, status=status, reason=reason, provider_id=provider_id) for row, _ in rows)


def _meaning(answer: Answer) -> Meaning:
    text = answer.text("message")
    other = Meaning(answer.status, "", ProviderRefused, "look at what it says; nothing was sent")
    return next(
        (each for each in ERRORS if each.status == answer.status and re.search(each.says, text, re.IGNORECASE)), other
    )


def _error(answer: Answer) -> NewsletterError:
    meaning = _meaning(answer)
    raised = meaning.raised or ProviderRefused
    message = f"Mailgun: {answer.text('message')}"
    if answer.status >= 500:
        return ProviderBusy(message, hint="wait; see Mailgun's status page", wait=answer.wait)
    if issubclass(raised, ProviderBusy):
        after = re.search(r"try again after (.+?)\.?$", answer.text("message"))
        return raised(message, hint=meaning.hint, wait=read_wait(after[1]) if after else answer.wait)
    return raised(message, hint=meaning.hint)
