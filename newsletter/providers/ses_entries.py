"""One call of SendBulkEmail: an inline template, and an entry for each of up to fifty recipients.

How values are written. SES puts a value of `{{name}}` into the HTML as it is and leaves escaping to the caller
(docs.aws.amazon.com/ses/latest/dg/send-personalized-email-advanced.html, read 2026-11-21), and for an inline template
it promises simple substitutions only (API reference, EmailTemplateContent). So every value is escaped here, once, for
the place where it stands, and the template has nothing but `{{name}}`: no `{{{name}}}`, which is not promised there.
Should SES come to escape after all, a reader called O'Brien would read "O&#39;Brien"; nobody's markup would ever
get through, whichever of the two it does.

Source of the limits: the service model of sesv2 in botocore 1.44 and the developer guide's "Quotas" (2026-11-21).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from newsletter.delivery.message import Batch, Row
from newsletter.delivery.outcome import Status
from newsletter.errors import ProviderRefused
from newsletter.pieces import Pieces
from newsletter.providers.http import to_json
from newsletter.providers.merge import (
    Syntax,
    Template,
    Unfit,
    ascii_address,
    encoded_mailbox,
    own_headers,
    personal,
    templates,
    twins,
)
from newsletter.providers.wording import label

MOST_ENTRIES = 50
MOST_HEADERS = 15
_MOST_DATA = 262_144  # characters
_HEADER = re.compile(r"[ -~]{1,995}")

SYNTAX = Syntax(
    provider="SES",
    before="{{",
    after="}}",
    confusing=re.compile(r"\{\{"),
    never_before="\\",  # Handlebars takes "\{{" for a literal "{{"
    never_after="}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One recipient of a call."""

    row: Row
    to: str
    headers: Mapping[str, str]
    values: Mapping[str, str]

    def data(self, twins: Collection[str]) -> dict[str, object]:
        """What SES reads, without the values of *twins*."""
        values = to_json({name: value for name, value in self.values.items() if name not in twins}).decode()
        return {
            "Destination": {"ToAddresses": [self.to]},
            "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": values}},
            "ReplacementHeaders": _pairs(self.headers),
            "ReplacementTags": _pairs({"ref": label(self.row.ref)}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call without its recipients: the template, the fields beside it, and the headers that differ."""

    template: Template
    shared: Mapping[str, str]  # headers
    headers: Mapping[str, Pieces]
    fixed: Mapping[str, object]

    def entry(self, row: Row) -> Entry:
        """The part of *row* in the call. Raises Unfit."""
        headers = personal(self.headers, row, SYNTAX)
        if not all(_HEADER.fullmatch(value) for value in headers.values()):
            raise Unfit(Status.HELD, "a header is longer than the 995 characters that SES takes, or not ASCII")
        values = self.template.values(row)
        if len(to_json(values).decode()) > _MOST_DATA:
            raise Unfit(Status.HELD, "its values are longer than the 262144 characters that SES takes")
        return Entry(row=row, to=encoded_mailbox(row.name, ascii_address(row.address)), headers=headers, values=values)

    def body(self, entries: Sequence[Entry]) -> bytes:
        """The call's JSON, with no value said twice."""
        same = twins([entry.values for entry in entries])
        template = self.template.without(same)
        content = {
            "TemplateContent": {"Subject": template.subject, "Html": template.html, "Text": template.text},
            "TemplateData": "{}",
            # What all share stands in the template: an entry's own headers are added to these.
            "Headers": _pairs(self.shared),
        }
        data = [entry.data(same) for entry in entries]
        whole = {**self.fixed, "DefaultContent": {"Template": content}, "BulkEmailEntries": data}
        return to_json(whole)


def calls(batch: Batch, *, configuration_set: str) -> tuple[Call, ...]:
    """The call of each variant of the letter. Raises ProviderRefused where SES could not carry it."""
    letter = batch.letter
    shared, own = own_headers(letter)
    if len(shared) + len(own) > MOST_HEADERS or not all(_HEADER.fullmatch(value) for value in shared.values()):
        raise ProviderRefused(
            "the letter has a header that SES does not take",
            hint="shorten the list's name and the leave address in newsletter.toml",
        )
    try:
        common: dict[str, object] = {
            "FromEmailAddress": encoded_mailbox(letter.sender[0], ascii_address(letter.sender[1])),
            "DefaultEmailTags": _pairs({"run": label(letter.issue_id)}),
        }
        if letter.reply_to:
            common["ReplyToAddresses"] = [ascii_address(letter.reply_to)]
    except Unfit:
        hint = "give sender.address and sender.reply_to in newsletter.toml with plain letters before the @"
        raise ProviderRefused("SES cannot write the sender's address", hint=hint) from None
    if configuration_set:
        common["ConfigurationSetName"] = configuration_set
    return tuple(Call(template=each, shared=shared, headers=own, fixed=common) for each in templates(letter, SYNTAX))


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]
