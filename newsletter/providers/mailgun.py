"""Mailgun: a thousand readers a call, merged there; one bad address makes it refuse the call, so it is looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from urllib.parse import quote, urlencode

from requests.auth import HTTPBasicAuth

from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Event, Look, Receipt, Status
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused
from newsletter.providers.http import CALL_S, Answer, DoubtfulCall, connect
from newsletter.providers.mailgun_answers import RULES, wait_in
from newsletter.providers.mailgun_events import read_event
from newsletter.providers.mailgun_form import MOST_RECIPIENTS, Entry, Form, forms
from newsletter.providers.mailgun_suppressions import pages
from newsletter.providers.merge import by_variant, fitting
from newsletter.providers.records import Record, text_of, within
from newsletter.providers.verdict import Meaning, Rule, judge
from newsletter.providers.walk import Page, bounded, items, patiently, read_walk
from newsletter.providers.wording import json_lines, label

# Mailgun promises the events of a time in full once it is 30 minutes past; a quarter of an hour more for the
# calls that a batch makes after its claim.
TRUSTED_AFTER = timedelta(minutes=45)
# The smallest plans keep events for a day; the last hour is left alone, since nobody says how exactly they do.
KEPT_FOR = timedelta(hours=23)
_TURN_ON = "turn unsubscribe tracking on for the domain at Mailgun, with empty footers"
_CLOCKS_DIFFER = timedelta(hours=1)


class Mailgun:
    """Sends by Mailgun's messages API."""

    name = "mailgun"
    batch_size = MOST_RECIPIENTS
    record_every = MOST_RECIPIENTS
    keeps_keys = timedelta(0)

    def __init__(
        self,
        *,
        url: str,
        domain: str,
        api_key: str,
        sandbox: bool,
        leave_by_provider: bool = False,
        stop: Callable[[], bool],
        clock: Callable[[], datetime],
        call_s: float = CALL_S,
    ) -> None:
        """Call the API at *url* for a sending *domain*; with *sandbox*, nothing is delivered.

        *leave_by_provider* is what the doctor expects; what is sent goes by the letter.
        """
        self._http = connect(self.name, url, HTTPBasicAuth("api", api_key), stop, call_s=call_s)
        self._domain = quote(domain, safe="")  # with a slash in it, Mailgun would say yes and send nothing
        self._sandbox, self._stop, self._clock = sandbox, stop, clock
        self._leave_by_provider = leave_by_provider

    def send(self, batch: Batch) -> Iterator[Receipt | None]:
        """One call for each variant of the letter, and one more for each thousand readers or 20 MB."""
        if batch.letter.leave_by_provider and self._tracking.get("active") is not True:
            raise ProviderRefused("Mailgun would show readers no way to leave", hint=_TURN_ON)
        variants = forms(batch, sandbox=self._sandbox)  # all of them before the first call: one may be refused
        for variant, rows in by_variant(batch.rows):
            entries, unfit = fitting(rows, variants[variant].entry)
            yield from unfit
            form, entries = variants[variant].narrowed(entries)
            for call in form.calls(entries):
                yield from self._call(form, call)

    def settle(self, batch: Batch) -> Iterator[Receipt | None]:
        """Look for the deliveries among the events that bear the letter's tag.

        What is not there was not accepted, once the events of that time are complete; while they may not be,
        and when they may be gone already, it stays in doubt. So it does where there is nothing of the letter at
        all: then perhaps it is the search that does not work, or the domain that keeps no events.
        """
        sighted = False
        wanted = {row.ref: row for row in batch.rows}
        age = self._clock() - batch.claimed_at
        for event in self._events(batch):
            sighted = sighted or event is not None
            row = wanted.pop(event.ref, None) if event else None
            if event is None or row is None:
                yield None
                continue
            status = Status.REFUSED if event.status is Status.REFUSED else Status.ACCEPTED
            found = "found among Mailgun's events"
            yield Receipt(seq=row.seq, status=status, provider_id=event.provider_id, reason=found)
            if not wanted:
                return
        if sighted and TRUSTED_AFTER <= age < KEPT_FOR:
            for row in wanted.values():
                yield Receipt(seq=row.seq, status=Status.PLANNED, reason="not among Mailgun's events")

    def read_events(self, data: bytes) -> Iterator[Event]:
        """Payloads of webhooks or items of the events list, one JSON object a line."""
        return (event for record in json_lines(data) if (event := read_event(record)))

    def departures(self, after: str, *, now: datetime) -> Iterator[Page]:
        """Who left, bounced or complained since."""
        walk = read_walk(after, now=now)
        found = pages(walk, now=now, domain=self._domain, turned=self._turned, late=TRUSTED_AFTER, kept_for=KEPT_FOR)
        return bounded(found)

    def examine(self) -> Iterator[Look]:
        """Whether the key is right and the domain may send. What is left of the quota, Mailgun does not tell."""
        answer = self._http.get(f"/v3/domains/{self._domain}")
        if answer.status != 200:
            raise self._error(judge(RULES, [answer.status], answer.text("message")), answer)
        state = text_of(within(answer.record, "domain"), "state") or "unknown"
        yield Look(
            what="provider",
            ok=state == "active",
            detail=f"mailgun: the domain is {state}{'; sandbox: nothing is delivered' if self._sandbox else ''}",
            fix="" if state == "active" else "set the domain's DNS records as Mailgun shows them",
        )
        yield from self._leaving(self._tracking)

    def _leaving(self, tracking: Record) -> Iterator[Look]:
        active = tracking.get("active") is True
        footers = any(text_of(tracking, name).strip() for name in ("html_footer", "text_footer"))
        if active != self._leave_by_provider:
            detail = "mailgun adds a way to leave of its own, beside ours" if active else "mailgun adds no way to leave"
            fix = _TURN_ON if self._leave_by_provider else "turn unsubscribe tracking off for the domain at Mailgun"
            yield Look(what="unsubscribe tracking", ok=False, detail=detail, fix=fix)
        elif active and footers:
            fix = "empty both footers of unsubscribe tracking at Mailgun: letters show the link themselves"
            yield Look(what="unsubscribe tracking", ok=False, detail="mailgun adds a footer of its own", fix=fix)

    @cached_property
    def _tracking(self) -> Record:
        """How readers of the domain's mails may leave by Mailgun."""
        answer = self._http.get(f"/v3/domains/{self._domain}/tracking")
        if answer.status != 200:
            raise self._error(judge(RULES, [answer.status], answer.text("message")), answer)
        return within(within(answer.record, "tracking"), "unsubscribe")

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _call(self, form: Form, entries: Sequence[Entry]) -> Iterator[Receipt | None]:
        """The receipts of one call; where one address made Mailgun refuse it, of two with half the rows each."""
        if self._stop():
            yield from _all(entries, Status.PLANNED, "asked to stop")
            return
        yield None
        body, content_type = form.encoded(entries)
        try:
            answer = self._http.post(f"/v3/{self._domain}/messages", body, {"Content-Type": content_type})
        except DoubtfulCall as err:
            yield from _all(entries, Status.UNKNOWN, str(err))
            return
        said = answer.text("message")
        if answer.status == 200:
            name = text_of(answer.record, "id").strip("<>")
            if "Magnificent" in said:
                # It answers so at addresses where it has nothing to do.
                raise ProviderRefused("Mailgun's API is not where we look for it", hint="check mailgun.url and domain")
            # A yes without its id is not the answer that Mailgun documents.
            yield from _all(entries, Status.ACCEPTED if name else Status.UNKNOWN, "" if name else said, name)
            return
        rule = judge(RULES, [answer.status], said)
        if rule.meaning is Meaning.DOUBT:
            yield from _all(entries, Status.UNKNOWN, f"Mailgun failed: {said}")
        elif rule.meaning is not Meaning.ROW:
            raise self._error(rule, answer)
        elif len(entries) == 1:
            yield from _all(entries, Status.REFUSED, said)
        else:
            middle = len(entries) // 2
            yield from self._call(form, entries[:middle])
            yield from self._call(form, entries[middle:])

    def _events(self, batch: Batch) -> Iterator[Event | None]:
        """What became of messages of the letter since a little before the claim; None is a sign of life."""
        query = {
            "begin": f"{(batch.claimed_at - _CLOCKS_DIFFER).timestamp():.0f}",
            "ascending": "yes",
            "limit": "300",
            "event": "accepted OR rejected OR delivered OR failed",
            "tags": label(batch.letter.issue_id),
        }
        yield None
        for page in self._turned(f"/v3/{self._domain}/events?{urlencode(query)}"):
            yield from (read_event(item) for item in page)
            yield None

    def _turned(self, path: str) -> Iterator[list[Record]]:
        """The pages of a list, until one is empty or, as those of addresses may end, leads to itself as the last."""
        seen = set[str]()
        while path not in seen:
            seen.add(path)
            if self._stop():
                raise ProviderBusy("stopped before all of Mailgun's list was seen", hint="run it again")
            answer = patiently(self._http, path)
            if answer.status != 200:
                raise self._error(judge(RULES, [answer.status], answer.text("message")), answer)
            page = items(answer, "items", of="Mailgun")
            if not page:
                return
            yield page
            path = self._following(answer)
            if path in seen and path == within(answer.record, "paging").get("last"):
                return
        raise ProviderBusy("Mailgun's list goes in a circle", hint="try again later")

    def _following(self, answer: Answer) -> str:
        """Where the next page is. Raises ProviderRefused if that is elsewhere: our key goes along."""
        following = text_of(within(answer.record, "paging"), "next")
        if not following.startswith(f"{self._http.url}/"):
            raise ProviderRefused("Mailgun's list goes on at another address", hint="check mailgun.url and region")
        return following

    def _error(self, rule: Rule, answer: Answer) -> NewsletterError:
        said = answer.text("message")
        if rule.meaning in (Meaning.DOUBT, Meaning.ROW):  # to a question, that is: nothing was to be sent
            return ProviderBusy(f"Mailgun: {said}", hint="try again later", wait=answer.wait)
        named = wait_in(said, now=self._clock())
        return rule.error(f"Mailgun: {said}", wait=answer.wait if named is None else named)


def _all(entries: Sequence[Entry], status: Status, reason: str, provider_id: str = "") -> Iterator[Receipt]:
    return (Receipt(seq=each.row.seq, status=status, reason=reason, provider_id=provider_id) for each in entries)
