"""Amazon SES, version 2: fifty readers a call, merged there, and an answer for each of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from newsletter.delivery.message import Batch
from newsletter.delivery.news import News
from newsletter.delivery.outcome import Event, Look, Receipt, Status
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused
from newsletter.providers.http import CALL_S, Answer, DoubtfulCall, connect, redacted
from newsletter.providers.merge import by_variant, fitting
from newsletter.providers.records import Record, text_of, within
from newsletter.providers.ses_answers import ENTRIES, ERRORS
from newsletter.providers.ses_entries import MOST_ENTRIES, Call, Entry, calls
from newsletter.providers.ses_events import read_event, unwrapped
from newsletter.providers.ses_signing import signer
from newsletter.providers.ses_suppressions import OVERLAP, page_path, read_suppression
from newsletter.providers.verdict import Meaning, Rule, judge
from newsletter.providers.walk import Page, Walk, heard, items, patiently, walked
from newsletter.providers.wording import json_lines

_MANY = 10  # entries of which not all have a bad address


class Ses:
    """Sends by SendBulkEmail."""

    name = "ses"
    batch_size = MOST_ENTRIES
    record_every = MOST_ENTRIES
    keeps_keys = timedelta(0)

    def __init__(
        self,
        *,
        region: str,
        url: str = "",
        configuration_set: str = "",
        access_key: str,
        secret_key: str,
        session_token: str = "",
        stop: Callable[[], bool],
        call_s: float = CALL_S,
    ) -> None:
        """Call the API of a *region*, or the one at *url*."""
        sign = signer(region=region, access_key=access_key, secret_key=secret_key, session_token=session_token)
        self._http = connect(self.name, url or f"https://email.{region}.amazonaws.com", sign, stop, call_s=call_s)
        self._region, self._configuration_set, self._stop = region, configuration_set, stop

    def send(self, batch: Batch) -> Iterator[Receipt | None]:
        """One call for each variant of the letter and fifty readers."""
        variants = calls(batch, configuration_set=self._configuration_set)  # all first: one may be refused
        for variant, rows in by_variant(batch.rows):
            entries, unfit = fitting(rows, variants[variant].entry)
            yield from unfit
            for first in range(0, len(entries), MOST_ENTRIES):
                yield from self._call(variants[variant], entries[first : first + MOST_ENTRIES])

    def settle(self, batch: Batch) -> Iterator[Receipt | None]:  # noqa: ARG002 - the port's signature
        """Nothing: SES can be asked about a message by the id only that was lost with the answer.

        Message insights and exports of them know no tags. What it did take comes as Send events of the
        configuration set, with our reference: see `read_events`.
        """
        yield from ()

    def read_events(self, data: bytes) -> Iterator[Event]:
        """Records of event publishing, one JSON object a line, as they are or in the envelopes of SNS."""
        return (event for record in json_lines(data) if (event := read_event(unwrapped(record))))

    def departures(self, after: str, *, now: datetime) -> Iterator[Page]:
        """Who came onto the account's suppression list since."""
        return walked(after, self._suppressed, now=now, overlap=OVERLAP)

    def examine(self) -> Iterator[Look]:
        """Whether the account may send to everybody, and what is left of its quota and how fast it may send."""
        answer = self._http.get("/v2/email/account")
        if answer.status != 200:
            raise _error(_judged(answer), answer)
        account = answer.record
        yield _production(account, self._region)
        yield _sending(account)
        yield _quota(within(account, "SendQuota"))
        yield from _unlisted(account)
        listed = self._http.get("/v2/email/identities?PageSize=1000")
        if listed.status == 200:  # keys that only send may not ask
            yield _identities(listed.record, self._region)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _suppressed(self, walk: Walk) -> tuple[list[News], str] | None:
        """A page of the suppression list; None if its token is not good any more."""
        answer = patiently(self._http, page_path(walk), too_fast=lambda each: _judged(each).meaning is Meaning.BUSY)
        if walk.at and _type(answer) == "InvalidNextTokenException":
            return None
        if answer.status != 200:
            raise _error(_judged(answer), answer)
        records = items(answer, "SuppressedDestinationSummaries", of="SES")
        return heard(records, read_suppression, now=walk.began), text_of(answer.record, "NextToken")

    def _call(self, call: Call, entries: Sequence[Entry]) -> Iterator[Receipt | None]:
        """The receipts of one call; where one address made SES refuse all of it, of two with half the rows each."""
        if self._stop():
            yield from _all(entries, Status.PLANNED, "asked to stop")
            return
        yield None
        try:
            answer = self._http.post(
                "/v2/email/outbound-bulk-emails", call.body(entries), {"Content-Type": "application/json"}
            )
        except DoubtfulCall as err:
            yield from _all(entries, Status.UNKNOWN, str(err))
            return
        if answer.status == 200:
            yield from _results(answer, entries)
            return
        rule = _judged(answer)
        if rule.meaning is Meaning.DOUBT:
            yield from _all(entries, Status.UNKNOWN, f"SES failed: {_said(answer)}")
        elif rule.meaning is not Meaning.ROW:
            raise _error(rule, answer)
        elif len(entries) == 1:
            yield from _all(entries, Status.REFUSED, _said(answer))
        else:
            middle = len(entries) // 2
            yield from self._call(call, entries[:middle])
            yield from self._call(call, entries[middle:])


_ENTRY_STATUSES = {
    Meaning.ROW: Status.REFUSED,
    Meaning.LATER: Status.DEFERRED,
    Meaning.DOUBT: Status.UNKNOWN,
}


def _results(answer: Answer, entries: Sequence[Entry]) -> Iterator[Receipt]:
    """A receipt for each entry, by its place in the answer; afterwards raises what stopped the rest of them.

    The rest are those without receipt: an entry that SES names a trouble of the whole account for did not leave.
    """
    results = answer.record.get("BulkEmailEntryResults")
    if not isinstance(results, list) or len(results) != len(entries):
        yield from _all(entries, Status.UNKNOWN, "SES's answer does not fit what was asked")
        return
    if len(results) >= _MANY and _refused_alike(results):
        hint = "this is a mistake of this program, or of the set-up in SES: look at the message, and report it"
        raise ProviderRefused(f"SES refused every message: {redacted(text_of(results[0], 'Error'))}", hint=hint)
    trouble: NewsletterError | None = None
    for entry, found in zip(entries, results, strict=True):
        result: Record = found if isinstance(found, dict) else {}
        word, name = text_of(result, "Status"), text_of(result, "MessageId")
        if word == "SUCCESS":
            yield Receipt(seq=entry.row.seq, status=Status.ACCEPTED, provider_id=name)
            continue
        reason = redacted(f"{word}: {text_of(result, 'Error')}".removesuffix(": "))
        rule = judge(ENTRIES, [word], text_of(result, "Error"))
        status = _ENTRY_STATUSES.get(rule.meaning, Status.PLANNED)
        yield Receipt(seq=entry.row.seq, status=status, reason=reason)
        if status is Status.PLANNED:
            trouble = trouble or rule.error(f"SES: {reason}")
    if trouble is not None:
        raise trouble


def _refused_alike(results: Sequence[object]) -> bool:
    """Whether the same is wrong with all of a call, which is then no reader's fault."""
    first = results[0]
    if not isinstance(first, dict) or any(each != first for each in results):
        return False
    return judge(ENTRIES, [text_of(first, "Status")], text_of(first, "Error")).meaning is Meaning.ROW


def _production(account: Record, region: str) -> Look:
    ok = account.get("ProductionAccessEnabled") is True
    detail = f"ses in {region}, {'in production' if ok else 'in the sandbox: to verified addresses only'}"
    return Look(what="provider", ok=ok, detail=detail, fix="" if ok else "ask AWS for production access, in SES")


def _sending(account: Record) -> Look:
    state = text_of(account, "EnforcementStatus") or "HEALTHY"
    ok = account.get("SendingEnabled") is True and state == "HEALTHY"
    detail = f"ses: sending is {'enabled' if account.get('SendingEnabled') is True else 'paused'}, {state.lower()}"
    return Look(what="sending", ok=ok, detail=detail, fix="" if ok else "open the SES console: AWS says there why")


def _quota(quota: Record) -> Look:
    most, sent, rate = (_number(quota, name) for name in ("Max24HourSend", "SentLast24Hours", "MaxSendRate"))
    unlimited = most < 0  # -1, says the reference
    ok = unlimited or most > sent
    left = "no daily limit" if unlimited else f"{max(most - sent, 0):,.0f} of {most:,.0f} left today"
    fix = "" if ok else "wait, or ask AWS to raise the sending quota"
    return Look(what="quota", ok=ok, detail=f"ses: {left}, {rate:g} a second", fix=fix)


def _unlisted(account: Record) -> Iterator[Look]:
    """A look where the account keeps no list of those who bounced or complained, which is then nowhere to be read."""
    kept = within(account, "SuppressionAttributes").get("SuppressedReasons")
    if isinstance(kept, list) and not {"BOUNCE", "COMPLAINT"} <= {str(reason) for reason in kept}:
        fix = "turn the suppression list of the account on in SES, for bounces and for complaints"
        yield Look(what="suppression", ok=False, detail="ses does not keep who bounced and who complained", fix=fix)


def _identities(listed: Record, region: str) -> Look:
    found = listed.get("EmailIdentities")
    domains = [
        text_of(each, "IdentityName")
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict) and each.get("SendingEnabled") is True and text_of(each, "IdentityType") == "DOMAIN"
    ]
    detail = f"ses: may send for {', '.join(sorted(domains)) or 'no domain'}"
    fix = "" if domains else f"verify the sender's domain in SES, in {region}"
    return Look(what="identity", ok=bool(domains), detail=detail, fix=fix)


def _number(record: Record, name: str) -> float:
    value = record.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _judged(answer: Answer) -> Rule:
    return judge(ERRORS, [_type(answer), answer.status], _said(answer))


def _type(answer: Answer) -> str:
    """The error's name: `Name:http://…` in a header, or `namespace#Name` in the body."""
    record = answer.record
    found = answer.headers.get("x-amzn-ErrorType") or text_of(record, "__type") or text_of(record, "code")
    return re.sub(r":.*|.*#", "", found or text_of(record, "type"))


def _said(answer: Answer) -> str:
    return answer.text("message", "Message")


def _error(rule: Rule, answer: Answer) -> NewsletterError:
    text = f"SES: {_said(answer)} ({redacted(_type(answer)) or answer.status})"
    if rule.meaning in (Meaning.DOUBT, Meaning.ROW):  # to a question, that is: nothing was to be sent
        return ProviderBusy(text, hint="try again later", wait=answer.wait)
    return rule.error(text, wait=answer.wait)


def _all(entries: Sequence[Entry], status: Status, reason: str) -> Iterator[Receipt]:
    return (Receipt(seq=entry.row.seq, status=status, reason=reason) for entry in entries)
