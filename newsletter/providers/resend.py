"""Resend: a hundred whole messages a call, and a key by which it knows a repeated call for a day."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from newsletter.delivery.message import Batch, Row
from newsletter.delivery.news import News
from newsletter.delivery.outcome import Event, Look, Receipt, Status
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused, QuotaReached
from newsletter.providers.http import CALL_S, Answer, DoubtfulCall, bearer, connect, redacted, to_json
from newsletter.providers.records import text_of
from newsletter.providers.resend_events import read_event
from newsletter.providers.resend_suppressions import OVERLAP, following, page_path, read_suppression
from newsletter.providers.walk import Page, Walk, heard, items, patiently, walked
from newsletter.providers.wording import json_lines, label, mailbox, unfolded

BATCH = 100
CALL_BYTES = 10 * 1024 * 1024
_PATH = "/emails/batch"
_MANY = 10  # messages of which not all have a bad address
_OF_THE_SENDER = re.compile(r"`from`|not verified|testing emails")
_SAME_KEY_TRIES = 5
_SAME_KEY_S = 2.0
_SAME_KEY_MOST_S = 10.0

_SENDS_ONLY = (401, "restricted_api_key")
# What an error means, by its `name` and, where one name means two things, its HTTP status: the class that it
# raises (None: the call is looked at more closely), and what the operator must do.
ERRORS: dict[tuple[int, str], tuple[type[NewsletterError] | None, str]] = {
    (400, "invalid_idempotency_key"): (ProviderRefused, "please report this: our key should be right"),
    (400, "validation_error"): (None, "look at the letter and its addresses"),
    (401, "missing_api_key"): (ProviderRefused, "set NEWSLETTER_RESEND_API_KEY"),
    _SENDS_ONLY: (ProviderRefused, "make a key with full access, and set NEWSLETTER_RESEND_API_KEY"),
    (403, "invalid_api_key"): (ProviderRefused, "set NEWSLETTER_RESEND_API_KEY to a key that is valid"),
    (403, "validation_error"): (ProviderRefused, "verify the sender's domain at Resend, or leave its test mode"),
    (404, "not_found"): (ProviderRefused, "look at [resend] url"),
    (405, "method_not_allowed"): (ProviderRefused, "look at [resend] url"),
    (422, "missing_required_field"): (None, "look at the letter and its addresses"),
    (422, "invalid_from_address"): (ProviderRefused, "mend [sender] address"),
    (422, "invalid_parameter"): (None, "look at the letter and its addresses"),
    (422, "validation_error"): (None, "look at the letter and its addresses"),
    (422, "invalid_attachment"): (ProviderRefused, "please report this: letters have none"),
    (429, "rate_limit_exceeded"): (ProviderBusy, "set [provider] rate, if this comes often"),
    (429, "daily_quota_exceeded"): (QuotaReached, "wait for tomorrow, or take a larger plan"),
    (429, "monthly_quota_exceeded"): (QuotaReached, "take a larger plan"),
}
_SAME_CALL_RUNS = (409, "concurrent_idempotent_requests")
_OTHER_CONTENT = (409, "invalid_idempotent_request")
_QUOTA_WAIT = {"monthly_quota_exceeded": timedelta(hours=24)}  # of the others a quarter of a day


class Resend:
    """Sends by Resend's batch API."""

    name = "resend"
    batch_size = BATCH
    record_every = BATCH
    keeps_keys = timedelta(hours=24)

    def __init__(self, *, url: str, api_key: str, stop: Callable[[], bool], call_s: float = CALL_S) -> None:
        """Call the API at *url*."""
        self._http = connect(self.name, url, bearer(api_key), stop, call_s=call_s)
        self._stop = stop

    def send(self, batch: Batch) -> Iterator[Receipt | None]:
        """One call for a hundred messages, or more where they are long."""
        rows, bodies = [], []
        for row in batch.rows:
            try:
                bodies.append(to_json(_message(batch, row)))
            except (KeyError, UnicodeEncodeError):
                yield Receipt(seq=row.seq, status=Status.HELD, reason="a place of the letter cannot be filled")
                continue
            rows.append(row)
        for number, (some, theirs) in enumerate(_parts(rows, bodies)):
            yield from self._call(some, theirs, key=f"{batch.key}-{number}")

    def settle(self, batch: Batch) -> Iterator[Receipt | None]:  # noqa: ARG002 - the port's signature
        """Nothing beyond repeating the call: its list of messages can be searched by nothing that is ours."""
        yield from ()

    def read_events(self, data: bytes) -> Iterator[Event]:
        """The events of its webhooks, one JSON object a line."""
        return (event for record in json_lines(data) if (event := read_event(record)))

    def departures(self, after: str, *, now: datetime) -> Iterator[Page]:
        """Who came onto the suppression list since."""
        return walked(after, self._suppressed, now=now, overlap=OVERLAP)

    def examine(self) -> Iterator[Look]:
        """Whether the key is right and a domain is verified. What is left of the quota, Resend does not tell."""
        answer = self._http.get("/domains")
        if (answer.status, _name(answer)) == _SENDS_ONLY:
            yield Look(what="provider", ok=True, detail="resend: the key may only send, and not list the domains")
            return
        if answer.status != 200:
            raise _error(answer)
        found = answer.record.get("data")
        domains = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
        verified = sorted(text_of(each, "name") for each in domains if each.get("status") == "verified")
        fix = "" if verified else "verify the sender's domain at Resend"
        yield Look(
            what="provider", ok=bool(verified), detail=f"resend, for {', '.join(verified) or 'no domain'}", fix=fix
        )

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _suppressed(self, walk: Walk) -> tuple[list[News], str] | None:
        """A page of the suppression list; None if the entry that it follows is not there any more."""
        answer = patiently(self._http, page_path(walk))
        if walk.at and answer.status in (400, 404, 422):
            return None
        if answer.status != 200:
            raise _error(answer)
        records = items(answer, "data", of="Resend")
        further = following(records, more=answer.record.get("has_more") is True, since=walk.since)
        news = heard(records, read_suppression, now=walk.began)
        return [each for each in news if each.at >= walk.since], further

    def _call(self, rows: Sequence[Row], bodies: Sequence[bytes], *, key: str) -> Iterator[Receipt | None]:
        if self._stop():
            yield from _all(rows, Status.PLANNED, "asked to stop")
            return
        body = b"[" + b",".join(bodies) + b"]"
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, "x-batch-validation": "permissive"}
        yield None
        try:
            answer = self._http.post(_PATH, body, headers)
        except DoubtfulCall as err:
            yield from _unknown(rows, str(err))
            return
        if (answer.status, _name(answer)) == _SAME_CALL_RUNS:
            yield from self._running(answer, rows, body, headers)
        else:
            yield from self._read(answer, rows, bodies, key=key)

    def _running(
        self, answer: Answer, rows: Sequence[Row], body: bytes, headers: Mapping[str, str]
    ) -> Iterator[Receipt | None]:
        """Ask again for a call that Resend says it is still at; until it is done, no answer says that nothing left."""
        for _ in range(_SAME_KEY_TRIES):
            if self._stop():
                break
            wait = answer.wait
            time.sleep(_SAME_KEY_S if wait is None else min(wait.total_seconds(), _SAME_KEY_MOST_S))
            yield None
            with suppress(DoubtfulCall, ProviderBusy, ProviderRefused):
                answer = self._http.post(_PATH, body, headers)
                if answer.status == 200:
                    yield from _accepted(answer, rows)
                    return
        yield from _unknown(rows, "the same call was still running")

    def _read(
        self, answer: Answer, rows: Sequence[Row], bodies: Sequence[bytes], *, key: str
    ) -> Iterator[Receipt | None]:
        if answer.status == 200:
            yield from _accepted(answer, rows)
        elif (answer.status, _name(answer)) == _OTHER_CONTENT:
            yield from _unknown(rows, "Resend had this call before, with other contents")
        elif answer.status in (408, 409):
            yield from _unknown(rows, f"Resend failed: {answer.text('message')}")
        else:
            if _meaning(answer)[0] is not None:
                raise _error(answer)
            yield from self._halves(answer, rows, bodies, key=key)

    def _halves(
        self, answer: Answer, rows: Sequence[Row], bodies: Sequence[bytes], *, key: str
    ) -> Iterator[Receipt | None]:
        """Where one message made it refuse all of a call, find that one."""
        if len(rows) == 1:
            yield Receipt(seq=rows[0].seq, status=Status.REFUSED, reason=answer.text("message"))
            return
        middle = len(rows) // 2
        yield from self._call(rows[:middle], bodies[:middle], key=f"{key}a")
        yield from self._call(rows[middle:], bodies[middle:], key=f"{key}b")


def _parts(rows: Sequence[Row], bodies: Sequence[bytes]) -> Iterator[tuple[Sequence[Row], Sequence[bytes]]]:
    """The messages in parts that fit into a call: the same ones for the same batch."""
    first = size = 0
    for index, body in enumerate(bodies):
        if index > first and (size + len(body) > CALL_BYTES or index - first == BATCH):
            yield rows[first:index], bodies[first:index]
            first, size = index, 0
        size += len(body)
    if rows:
        yield rows[first:], bodies[first:]


def _message(batch: Batch, row: Row) -> dict[str, Any]:
    letter = batch.letter
    body = letter.bodies[row.variant]
    headers = {name: unfolded(pieces.fill(row.values)) for name, pieces in letter.own_headers}
    message: dict[str, Any] = {
        "from": mailbox(*letter.sender),
        "to": [mailbox(row.name, row.address)],
        "subject": letter.subject.fill(row.values).decode(),
        "html": body.html.fill(row.values).decode(),
        "text": body.text.fill(row.values).decode(),
        "headers": headers | {"Message-ID": f"<{row.ref}@{letter.domain}>"},
        "tags": [{"name": "run", "value": label(letter.issue_id)}, {"name": "ref", "value": label(row.ref)}],
    }
    if letter.reply_to:
        message["reply_to"] = letter.reply_to
    return message


def _accepted(answer: Answer, rows: Sequence[Row]) -> Iterator[Receipt]:
    """A receipt for each row: `errors` names the refused ones by index, `data` holds the others in their order.

    Whether the refused ones leave a gap in `data` is not documented; both are understood. Where anything of it
    does not fit, nobody can tell whose id is whose, and all of them are in doubt.
    """
    refused = _refused(answer, len(rows))
    told = answer.record.get("data")
    names = [each.get("id") if isinstance(each, dict) else None for each in told] if isinstance(told, list) else []
    if refused and len(names) == len(rows) and not any(names[index] for index in refused):
        names = [name for index, name in enumerate(names) if index not in refused]
    taken = [name for name in names if isinstance(name, str) and name]
    if refused is None or len(taken) < len(names) or len(taken) + len(refused) != len(rows):
        yield from _unknown(rows, "Resend's answer cannot be read")
        return
    _no_readers_fault(refused, len(rows))
    following = iter(taken)
    for index, row in enumerate(rows):
        if index in refused:
            yield Receipt(seq=row.seq, status=Status.REFUSED, reason=refused[index])
        else:
            yield Receipt(seq=row.seq, status=Status.ACCEPTED, provider_id=next(following))


def _no_readers_fault(refused: Mapping[int, str], count: int) -> None:
    """Raise ProviderRefused where one thing is wrong with all of a call: with the sender, and nobody's address."""
    first, *others = set(refused.values()) or {""}
    if len(refused) == count and not others and (count >= _MANY or _OF_THE_SENDER.search(first)):
        raise ProviderRefused(
            f"Resend refused every message: {first}", hint="look at Resend's domains and at [sender] address"
        )


def _refused(answer: Answer, count: int) -> dict[int, str] | None:
    """Why each of the refused messages was, by its place among *count*; None if that cannot be read."""
    errors = answer.record.get("errors") or []
    if not isinstance(errors, list) or not all(isinstance(each, dict) for each in errors):
        return None
    places = [each.get("index") for each in errors]
    if not all(type(place) is int and 0 <= place < count for place in places) or len(set(places)) < len(places):
        return None
    return {each["index"]: redacted(str(each.get("message") or "refused")) for each in errors}


def _unknown(rows: Sequence[Row], reason: str) -> Iterator[Receipt]:
    return _all(rows, Status.UNKNOWN, reason)


def _all(rows: Sequence[Row], status: Status, reason: str) -> Iterator[Receipt]:
    return (Receipt(seq=row.seq, status=status, reason=reason) for row in rows)


def _name(answer: Answer) -> str:
    return text_of(answer.record, "name")


def _meaning(answer: Answer) -> tuple[type[NewsletterError] | None, str]:
    known = ERRORS.get((answer.status, _name(answer)))
    if known is None and answer.status == 429 and "quota" in _name(answer):
        known = QuotaReached, "wait, or take a larger plan"
    if known is None and (answer.status == 429 or answer.status >= 500):
        # 429 in other words than Resend's is from what stands before it, and 5xx was no answer to a call.
        known = ProviderBusy, "set [provider] rate, if this comes often; see Resend's status page"
    return known or (ProviderRefused, "see Resend's documentation")


def _error(answer: Answer) -> NewsletterError:
    """What an answer that took nothing means for the whole run."""
    raised, hint = _meaning(answer)
    message = f"Resend: {answer.text('message')} ({redacted(_name(answer)) or answer.status})"
    if raised is not None and issubclass(raised, ProviderBusy):
        return raised(message, hint=hint, wait=_quota_wait(answer) if raised is QuotaReached else answer.wait)
    return ProviderRefused(message, hint=hint)


def _quota_wait(answer: Answer) -> timedelta:
    """Until a quota may be asked about again: a wait of seconds is that of the calls a second, and not of the quota."""
    asked = answer.wait or timedelta(0)
    return asked if asked >= timedelta(minutes=1) else _QUOTA_WAIT.get(_name(answer), timedelta(hours=6))
