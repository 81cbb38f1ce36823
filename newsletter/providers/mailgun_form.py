"""One call to Mailgun as a form: a template, and the variables of up to a thousand recipients.

multipart/form-data, since percent-encoding would make a letter's HTML half as large again; and one `to` with
commas, since a part of the form for each recipient costs more than the recipient.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

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

MOST_RECIPIENTS = 1000
MOST_BYTES = 20_000_000  # of a request; Mailgun takes messages up to 25 MB
MOST_OPTION_BYTES = 16_000  # all o:, h: and v: together; whether a kB has 1000 or 1024 bytes it does not say

SYNTAX = Syntax(
    provider="Mailgun",
    before="%recipient.",
    after="%",
    confusing=re.compile(r"%(?:recipient|unsubscribe_|tag_unsubscribe|mailing_list_unsubscribe)", re.IGNORECASE),
    never_before="%",
)
_REF = "ref"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One recipient of a call."""

    row: Row
    address: str
    mailbox: str
    variables: Mapping[str, str]  # what fills the template
    own: Mapping[str, str]  # what fills the options

    @property
    def size(self) -> int:
        """Its bytes in a form, at most."""
        return len(self.mailbox) + 2 + len(to_json({self.address: {**self.variables, **self.own}}))

    def without(self, names: Collection[str]) -> Entry:
        """The same but for the variables *names*."""
        return replace(self, variables={name: each for name, each in self.variables.items() if name not in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A call without its recipients: the template, the fields beside it, and the headers that differ."""

    template: Template
    options: tuple[tuple[str, str], ...]
    headers: Mapping[str, Pieces]

    def entry(self, row: Row) -> Entry:
        """The part of *row* in the call. Raises Unfit."""
        address = ascii_address(row.address)
        name = "" if SYNTAX.confusing.search(row.name) else row.name
        # A header is one variable as a whole: that is the form in which it is known to arrive.
        own = {f"h{number}": value for number, value in enumerate(personal(self.headers, row, SYNTAX).values())}
        own[_REF] = row.ref
        if _option_bytes(self.options) + sum(len(value.encode()) for value in own.values()) > MOST_OPTION_BYTES:
            raise Unfit(Status.HELD, "its headers are longer than Mailgun takes")
        variables = self.template.values(row)
        return Entry(row=row, address=address, mailbox=encoded_mailbox(name, address), variables=variables, own=own)

    def narrowed(self, entries: Sequence[Entry]) -> tuple[Form, list[Entry]]:
        """The same with no value said twice."""
        same = twins([entry.variables for entry in entries])
        return replace(self, template=self.template.without(same)), [entry.without(same) for entry in entries]

    def encoded(self, entries: Sequence[Entry]) -> tuple[bytes, str]:
        """The body of the call and its content type."""
        recipients = {entry.address: {**entry.variables, **entry.own} for entry in entries}
        return multipart(
            (
                *self.options,
                ("subject", self.template.subject),
                ("html", self.template.html),
                ("text", self.template.text),
                ("to", ", ".join(entry.mailbox for entry in entries)),
                ("recipient-variables", to_json(recipients).decode()),
            )
        )

    def calls(self, entries: Iterable[Entry]) -> Iterator[list[Entry]]:
        """The entries in as few calls as may be: by count, by bytes, and no address twice in one."""
        empty = len(self.encoded([])[0])
        call: list[Entry] = []
        size, known = empty, set[str]()
        for entry in entries:
            key = entry.address.lower()
            if call and (len(call) == MOST_RECIPIENTS or key in known or size + entry.size > MOST_BYTES):
                yield call
                call, size, known = [], empty, set()
            call.append(entry)
            size += entry.size
            known.add(key)
        if call:
            yield call


def forms(batch: Batch, *, sandbox: bool) -> tuple[Form, ...]:
    """The form of each variant of the letter. Raises ProviderRefused where Mailgun could not carry it."""
    letter = batch.letter
    shared, own = own_headers(letter)
    common = [("from", encoded_mailbox(*letter.sender)), ("o:tag", label(letter.issue_id)), ("o:tracking", "no")]
    if sandbox:
        common.append(("o:testmode", "yes"))
    if letter.reply_to:
        common.append(("h:Reply-To", letter.reply_to))
    common += [(f"h:{name}", value) for name, value in shared.items()]
    common += [(f"h:{name}", SYNTAX.mark(f"h{number}")) for number, name in enumerate(own)]
    common += [("v:ref", SYNTAX.mark(_REF)), ("v:run", label(letter.issue_id))]
    if _option_bytes(common) > MOST_OPTION_BYTES:
        raise ProviderRefused(
            "the letter's headers are longer than the 16 kB that Mailgun takes",
            hint="shorten the sender, the list's name or the leave address in newsletter.toml",
        )
    theirs = {"unsubscribe_url": "%unsubscribe_url%"} if letter.leave_by_provider else {}
    made = templates(letter, SYNTAX, theirs=theirs)
    return tuple(Form(template=each, options=tuple(common), headers=own) for each in made)


def multipart(fields: Iterable[tuple[str, str]]) -> tuple[bytes, str]:
    """*fields* as multipart/form-data (RFC 7578) and the content type with its boundary."""
    pairs = [(name.encode(), value.encode()) for name, value in fields]
    whole = blake2b(digest_size=16)
    for _, value in pairs:
        whole.update(value)
    # No text holds its own digest, so the boundary is none of its lines; and the same call is the same bytes.
    boundary = whole.hexdigest().encode()
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (boundary, name, value)
        for name, value in pairs
    ]
    return b"".join((*parts, b"--%b--\r\n" % boundary)), f"multipart/form-data; boundary={boundary.decode()}"


def _option_bytes(fields: Iterable[tuple[str, str]]) -> int:
    return sum(len(name) + len(value.encode()) for name, value in fields if name[:2] in ("o:", "h:", "v:"))
