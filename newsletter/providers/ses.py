"""Amazon SES, version 2: fifty readers a call, merged there, and an answer for each of them.

The letter travels as an inline template, in which SES makes simple substitutions only. Values travel escaped
for where they stand: if SES should escape them once more, a reader would see `&amp;` for `&`, while in the
other case nobody could slip in HTML. Headers are no templates, so each reader's stand in their own entry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from newsletter.delivery.message import Batch, Body, Row
from newsletter.delivery.outcome import Event, Look, Receipt, Status
from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused, QuotaReached
from newsletter.providers.http import CALL_S, Answer, Auth, DoubtfulCall, connect, redacted, to_json
from newsletter.providers.merge import Merge, Syntax
from newsletter.providers.wording import json_lines, label, mailbox, unfolded

if TYPE_CHECKING:
    from requests import PreparedRequest


BATCH = 50
HEADERS, HEADER_LENGTH = 15, 995
DATA_LENGTH = 262_144

SYNTAX = Syntax(before="{{", after="}}", trap="{{")

# What the error of a whole call means: the class that it raises, and what the operator must do.
ERRORS: dict[str, tuple[type[NewsletterError], str]] = {
    "AccountSuspendedException": (ProviderRefused, "ask AWS why the account may not send"),
    "SendingPausedException": (ProviderRefused, "resume sending in the SES console"),
    "MailFromDomainNotVerifiedException": (ProviderRefused, "verify the MAIL FROM domain in SES"),
    "MessageRejected": (ProviderRefused, "verify the sender's domain in SES, in the same region"),
    "NotFoundException": (ProviderRefused, "look at [ses] configuration_set and region"),
    "BadRequestException": (ProviderRefused, "look at what it says; nothing was sent"),
    "LimitExceededException": (QuotaReached, "ask AWS for a higher limit"),
    "TooManyRequestsException": (ProviderBusy, "set [provider] rate, if this comes often"),
    "ThrottlingException": (ProviderBusy, "set [provider] rate to your account's, see: newsletter doctor"),
    "Throttling": (ProviderBusy, "set [provider] rate to your account's, see: newsletter doctor"),
    "ServiceUnavailable": (ProviderBusy, "wait; see the AWS status page"),
    "UnrecognizedClientException": (ProviderRefused, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    "InvalidClientTokenId": (ProviderRefused, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    "InvalidSignatureException": (ProviderRefused, "set AWS_SECRET_ACCESS_KEY, and look at the clock"),
    "SignatureDoesNotMatch": (ProviderRefused, "set AWS_SECRET_ACCESS_KEY, and look at the clock"),
    "ExpiredTokenException": (ProviderRefused, "get new temporary credentials"),
    "AccessDeniedException": (ProviderRefused, "allow this user ses:SendBulkEmail and ses:SendEmail"),
}
QUOTA_WORDS = re.compile(r"daily message quota exceeded", re.IGNORECASE)
QUOTA_WAIT = timedelta(hours=6)  # it is a rolling day, and SES does not say when there is room again

# What the status of one entry means; where it is an error, it is the whole account's or set-up's.
ENTRIES: dict[str, Status | tuple[type[NewsletterError], str]] = {
    "SUCCESS": Status.ACCEPTED,
    "INVALID_PARAMETER": Status.REFUSED,
    "MESSAGE_REJECTED": Status.REFUSED,
    "ACCOUNT_THROTTLED": (ProviderBusy, "set [provider] rate to your account's, see: newsletter doctor"),
    "TRANSIENT_FAILURE": Status.DEFERRED,
    "FAILED": Status.DEFERRED,
    "ACCOUNT_DAILY_QUOTA_EXCEEDED": (QuotaReached, "ask AWS for a higher quota, or wait"),
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": (ProviderRefused, "verify the MAIL FROM domain in SES"),
    "CONFIGURATION_SET_NOT_FOUND": (ProviderRefused, "look at [ses] configuration_set and region"),
    "CONFIGURATION_SET_SENDING_PAUSED": (ProviderRefused, "resume sending for the configuration set"),
    "TEMPLATE_NOT_FOUND": (ProviderRefused, "please report this: letters bring their own template"),
    "INVALID_SENDING_POOL_NAME": (ProviderRefused, "look at the configuration set's dedicated IP pool"),
    "ACCOUNT_SUSPENDED": (ProviderRefused, "ask AWS why the account may not send"),
    "ACCOUNT_SENDING_PAUSED": (ProviderRefused, "resume sending in the SES console"),
}


class Ses:
    """Sends by SendBulkEmail."""

    name = "ses"
    batch_size = BATCH
    record_every = BATCH
    keeps_keys = timedelta(0)

    def __init__(
        self,
        *,
        region: str,
        url: str,
        configuration_set: str,
        access_key: str,
        secret_key: str,
        session_token: str,
        stop: Callable[[], bool],
        call_s: float = CALL_S,
    ) -> None:
        """Call the API of a *region*, or the one at *url*."""
        credentials = Credentials(access_key, secret_key, session_token or None)
        base = url or f"https://email.{region}.amazonaws.com"
        self._http = connect(self.name, base, _signer(credentials, region), stop, call_s=call_s)
        self._configuration_set, self._stop, self._region = configuration_set, stop, region

    def send(self, batch: Batch) -> Iterator[Receipt | None]:
        """One call for each variant of the letter and fifty readers."""
        for variant, body in enumerate(batch.letter.bodies):
            rows = [row for row in batch.rows if row.variant == variant]
            for first in range(0, len(rows), BATCH):
                yield from self._merge(batch, body, rows[first : first + BATCH])

    def settle(self, batch: Batch) -> Iterator[Receipt | None]:  # noqa: ARG002 - the port's signature
        """Nothing: SES can be asked about a message only by the id that a lost answer held. Its events tell."""
        yield from ()

    def read_events(self, data: bytes) -> Iterator[Event]:
        """Records of event publishing, one JSON object a line, as they are or in the envelopes of SNS."""
        for record in json_lines(data):
            inner = record
            if isinstance(record.get("Message"), str):
                inner = next(json_lines(record["Message"].replace("\n", " ").encode()), {})
            event = _event(inner)
            if event is not None:
                yield event

    def examine(self) -> Iterator[Look]:
        """Whether the account may send to everybody, and what is left of its quota."""
        answer = self._http.get("/v2/email/account")
        if answer.status != 200 or not isinstance(answer.data, dict):
            raise _error(answer)
        found, quota = answer.data, answer.data.get("SendQuota") or {}
        ok = bool(found.get("SendingEnabled")) and bool(found.get("ProductionAccessEnabled"))
        sandbox = "" if found.get("ProductionAccessEnabled") else ", in the sandbox"
        most, sent = quota.get("Max24HourSend", 0), quota.get("SentLast24Hours", 0)
        left = "no daily limit" if most == -1 else f"{most - sent:,.0f} of {most:,.0f} left today"
        detail = f"ses in {self._region}{sandbox}: {left}, {quota.get('MaxSendRate', 0):g} a second"
        fix = "" if ok else "ask AWS for production access, and look whether sending is enabled"
        yield Look(what="provider", ok=ok, detail=detail, fix=fix)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _merge(self, batch: Batch, body: Body, rows: Sequence[Row]) -> Iterator[Receipt]:
        """The receipts of one call, and before it those of rows that cannot be part of it."""
        merge = Merge(SYNTAX)
        content = {
            "Subject": merge.template(batch.letter.subject),
            "Text": merge.template(body.text),
            "Html": merge.template(body.html),
        }
        some, entries = [], []
        for row in rows:
            entry = _entry(batch, row, merge)
            if isinstance(entry, Receipt):
                yield entry
            else:
                some.append(row)
                entries.append(entry)
        if self._stop():
            yield from (Receipt(seq=row.seq, status=Status.PLANNED, reason="asked to stop") for row in some)
        elif some:
            yield from self._call(self._request(batch, merge, content, entries), some)

    def _request(
        self, batch: Batch, merge: Merge, content: dict[str, str], entries: list[dict[str, Any]]
    ) -> dict[str, Any]:
        blank = to_json(dict.fromkeys(merge.names.values(), "")).decode()
        request: dict[str, Any] = {
            "FromEmailAddress": mailbox(*batch.letter.sender),
            "DefaultEmailTags": [{"Name": "run", "Value": label(batch.letter.issue_id)}],
            "DefaultContent": {"Template": {"TemplateContent": content, "TemplateData": blank}},
            "BulkEmailEntries": entries,
        }
        if batch.letter.reply_to:
            request["ReplyToAddresses"] = [batch.letter.reply_to]
        if self._configuration_set:
            request["ConfigurationSetName"] = self._configuration_set
        return request

    def _call(self, request: dict[str, Any], rows: Sequence[Row]) -> Iterator[Receipt]:
        headers = {"Content-Type": "application/json"}
        try:
            answer = self._http.post("/v2/email/outbound-bulk-emails", to_json(request), headers)
        except DoubtfulCall as err:
            yield from _unknown(rows, str(err))
            return
        if answer.status == 200:
            yield from _results(answer, rows)
        elif answer.status >= 500 and answer.status != 503:
            yield from _unknown(rows, f"SES failed: {answer.text('message', 'Message')}")
        else:
            raise _error(answer)


def _entry(batch: Batch, row: Row, merge: Merge) -> dict[str, Any] | Receipt:
    """One reader's part of the call, or why there is none."""
    if not row.address.rpartition("@")[0].isascii():
        return Receipt(seq=row.seq, status=Status.REFUSED, reason="SES takes ASCII only before the @")
    values = merge.values(row.values)
    if values is None:
        return Receipt(
            seq=row.seq, status=Status.HELD, reason="a value of this reader looks like a placeholder of SES's"
        )
    data = to_json(values).decode()
    headers = [(name, unfolded(pieces.fill(row.values))) for name, pieces in batch.letter.own_headers]
    if len(data) > DATA_LENGTH or any(len(value) > HEADER_LENGTH or not value.isascii() for _, value in headers):
        return Receipt(seq=row.seq, status=Status.HELD, reason="this reader's values are too long for SES")
    return {
        "Destination": {"ToAddresses": [_to(row)]},
        "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": data}},
        "ReplacementTags": [{"Name": "ref", "Value": label(row.ref)}],
        "ReplacementHeaders": [{"Name": name, "Value": value} for name, value in headers[:HEADERS]],
    }


def _to(row: Row) -> str:
    local, _, domain = row.address.rpartition("@")
    return mailbox(row.name, f"{local}@{domain if domain.isascii() else domain.encode('idna').decode()}")


def _results(answer: Answer, rows: Sequence[Row]) -> Iterator[Receipt]:
    """A receipt for each row, by its place in the answer. Raises where SES stopped taking them for all."""
    results = answer.data.get("BulkEmailEntryResults") if isinstance(answer.data, dict) else None
    if not isinstance(results, list) or len(results) != len(rows):
        yield from _unknown(rows, "SES's answer cannot be read")
        return
    trouble: NewsletterError | None = None
    for row, result in zip(rows, results, strict=True):
        word = str(result.get("Status"))
        meaning = ENTRIES.get(word, Status.UNKNOWN)
        reason = redacted(f"{word}: {result.get('Error') or ''}".removesuffix(": "))
        if isinstance(meaning, tuple):
            raised, hint = meaning
            trouble = trouble or raised(f"SES: {reason}", hint=hint)
            yield Receipt(seq=row.seq, status=Status.PLANNED, reason=reason)
        else:
            name = str(result.get("MessageId") or "")
            said = "" if meaning is Status.ACCEPTED else reason
            yield Receipt(seq=row.seq, status=meaning, provider_id=name, reason=said)
    if trouble is not None:
        raise trouble


EVENTS = {
    "Send": Status.ACCEPTED,
    "Delivery": Status.DELIVERED,
    "Bounce": Status.BOUNCED,
    "Complaint": Status.COMPLAINED,
    "Reject": Status.REFUSED,
    "Rendering Failure": Status.REFUSED,
    "RenderingFailure": Status.REFUSED,
}


def _event(record: dict[str, Any]) -> Event | None:
    kind = str(record.get("eventType") or record.get("notificationType"))
    mail, bounce = record.get("mail"), record.get("bounce")
    status = EVENTS.get(kind)
    if status is None or not isinstance(mail, dict) or not isinstance(mail.get("tags"), dict):
        return None
    if status is Status.BOUNCED and not (isinstance(bounce, dict) and bounce.get("bounceType") == "Permanent"):
        return None
    refs = mail["tags"].get("ref")
    ref = str(refs[0]) if isinstance(refs, list) and refs else ""
    return Event(ref=ref, status=status, provider_id=str(mail.get("messageId", "")), reason=kind.lower())


def _unknown(rows: Sequence[Row], reason: str) -> Iterator[Receipt]:
    return (Receipt(seq=row.seq, status=Status.UNKNOWN, reason=reason) for row in rows)


def _error(answer: Answer) -> NewsletterError:
    """What an answer other than 200 means for the whole call."""
    typed = answer.headers.get("x-amzn-ErrorType") or (
        answer.data.get("__type") or answer.data.get("code") if isinstance(answer.data, dict) else ""
    )
    name = re.sub(r":.*|.*#", "", str(typed or ""))
    other = (ProviderBusy, "wait; see the AWS status page") if answer.status in (408, 429, 503) else None
    raised, hint = ERRORS.get(name) or other or (ProviderRefused, "look at what it says; nothing was sent")
    text = answer.text("message", "Message")
    message = f"SES: {text} ({name or answer.status})"
    if issubclass(raised, ProviderBusy):
        if raised is QuotaReached or QUOTA_WORDS.search(text):
            return QuotaReached(message, hint="ask AWS for a higher quota, or wait", wait=QUOTA_WAIT)
        return raised(message, hint=hint, wait=answer.wait)
    return raised(message, hint=hint)


def _signer(credentials: Credentials, region: str) -> Auth:
    """Signs a request as AWS wants it (Signature Version 4); the service is called `ses` in signatures."""

    def sign(request: PreparedRequest) -> PreparedRequest:
        url = str(request.url)
        headers = {"host": urlsplit(url).netloc}
        if request.headers.get("Content-Type"):
            headers["content-type"] = str(request.headers["Content-Type"])
        asked = AWSRequest(method=str(request.method), url=url, data=request.body or b"", headers=headers)
        SigV4Auth(credentials, "ses", region).add_auth(asked)
        for name in ("Authorization", "X-Amz-Date", "X-Amz-Security-Token"):
            if name in asked.headers:
                request.headers[name] = str(asked.headers[name])
        return request

    return sign
