"""Items 1 to 16 and 28: the bytes of a message, its header, its parts. Every check yields what it objects to."""

from __future__ import annotations

import email
import email.policy
import ipaddress
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from email.header import decode_header, make_header
from email.utils import parseaddr, parsedate_to_datetime

from tests.acceptance.mailing import Mail
from tests.acceptance.messages import ENCODED_WORD, Malformed, decode_word, decode_words, read_mailbox

# What there is in a header, and nothing else: a value that smuggles one in is found by this.
ONCE = (
    *("From", "To", "Date", "Message-ID", "Subject", "MIME-Version", "Content-Type"),
    *("List-Id", "List-Unsubscribe", "List-Unsubscribe-Post"),
)
MAY = ("Reply-To",)
CLIPPED_BYTES = 102_400
MESSAGE_BYTES = 500_000


def parses(mail: Mail) -> Iterator[str]:
    message = email.message_from_bytes(mail.raw, policy=email.policy.default)
    for part in message.walk():
        for defect in part.defects:
            yield f"a defect of a part: {defect!r}"
        for name, value in part.items():
            # Python up to 3.12 keeps the blank between two encoded-words of a name, and says nothing of it.
            for defect in value.defects:
                yield f"a defect of {name}: {defect!r}"
    if re.search(rb"(?<!\r)\n|\r(?!\n)", mail.raw):
        yield "a bare CR or LF"
    if b"\0" in mail.raw:
        yield "a NUL"
    try:
        parts = mail.whole.parts
        for part in parts:
            part.text  # noqa: B018 - raises where it cannot be read
    except ValueError as err:
        yield f"malformed: {err}"


def lines_are_short(mail: Mail) -> Iterator[str]:
    if any(len(line) > 998 for line in mail.raw.split(b"\r\n")):
        yield "a line of more than 998 octets"
    for field in (*mail.whole.fields, *(field for part in mail.whole.parts for field in part.fields)):
        for number, line in enumerate(field.lines):
            tokens = line.partition(b":")[2] if number == 0 else line
            if len(line) > 78 and len(tokens.split()) > 1:
                yield f"{field.name}: a line of {len(line)} that could be folded"
    for part in mail.whole.parts:
        if part.encoding in ("quoted-printable", "base64") and any(len(row) > 76 for row in part.body.split(b"\r\n")):
            yield f"a line of more than 76 in {part.media_type}"


def headers_stand_once(mail: Mail) -> Iterator[str]:
    names = [field.name for field in mail.whole.fields]
    # A newsletter that is left by mail must not promise that one click is enough.
    once = [name for name in ONCE if name != "List-Unsubscribe-Post" or mail.letter.house.leave_mode == "own"]
    for name in once:
        if names.count(name) != 1:
            yield f"{name} stands {names.count(name)} times"
    for name in set(names) - {*once, *MAY}:
        yield f"an unknown header: {name}"
    for field in mail.whole.fields:
        if not all(line.isascii() for line in field.lines):
            yield f"{field.name} is not ASCII"
        if any(byte < 32 and byte != 9 for line in field.lines for byte in line):
            yield f"{field.name} holds a control character"
    for name in ("From", "To", "Reply-To"):
        for field in mail.whole.named(name):
            try:
                read_mailbox(field.body)
            except Malformed as err:
                yield f"{name}: {err}"


_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{1,2}) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (\d{4}) "
    r"(\d\d):(\d\d):(\d\d) ([+-]\d{4})"
)


def date_is_the_claim(mail: Mail) -> Iterator[str]:
    value = mail.whole.value("Date")
    found = _DATE.fullmatch(value)
    if not found:
        yield f"no date with a zone: {value!r}"
        return
    hours, minutes = int(found[8][:3]), int(found[8][0] + found[8][3:])
    zone = timezone(timedelta(hours=hours, minutes=minutes))
    month = "JanFebMarAprMayJunJulAugSepOctNovDec".index(found[3]) // 3 + 1
    at = datetime(int(found[4]), month, int(found[2]), *(int(found[n]) for n in (5, 6, 7)), tzinfo=zone)
    if at != mail.claimed_at or parsedate_to_datetime(value) != at:
        yield f"{value} is not the claim at {mail.claimed_at}"
    if at.strftime("%a") != found[1]:
        yield f"{value} was no {found[1]}"
    if mail.claimed_at != mail.letter.sent_at:
        yield "the claim is not when the letter was sent"


def message_id_is_ours(mail: Mail) -> Iterator[str]:
    value = mail.whole.value("Message-ID")
    found = re.fullmatch(r"<([A-Za-z0-9.=_+-]+)@([a-z0-9.-]+)>", value)
    if not found:
        yield f"no message id: {value!r}"
    elif found[2] != mail.letter.house.domain:
        yield f"not under our domain: {value}"
    if mail.person.address.partition("@")[0] in value:
        yield "names the recipient"


def message_ids_differ(mails: Sequence[Mail]) -> Iterator[str]:
    ids = [mail.whole.value("Message-ID") for mail in mails]
    if len(set(ids)) != len(ids):
        yield "two messages have one Message-ID"


def stays_the_same(mail: Mail) -> Iterator[str]:
    if mail.again != mail.raw:
        first = next(
            n for n, pair in enumerate(zip(mail.again + b"\0", mail.raw + b"\1", strict=False)) if len(set(pair)) > 1
        )
        yield f"filled again it differs at byte {first}: {mail.raw[first : first + 40]!r}"


def encoded_words_are_right(mail: Mail) -> Iterator[str]:
    entities = (mail.whole, *mail.whole.parts)
    for field in (field for entity in entities for field in entity.fields):
        lines = [line.decode("ascii", "replace") for line in field.lines]
        words = [(line, found) for line in lines for found in ENCODED_WORD.finditer(line)]
        if words and field.name not in ("Subject", "From", "To", "List-Id"):
            yield f"an encoded-word in {field.name}"
        if "=?" in field.body and re.search(r'"[^"]*=\?[^"]*"|<[^>]*=\?[^>]*>', field.body):
            yield f"an encoded-word in quotes or brackets: {field.body}"
        for line, found in words:
            if len(found[0]) > 75:
                yield f"an encoded-word of {len(found[0])} in {field.name}"
            if len(line) > 76:
                yield f"a line of {len(line)} with encoded-words in {field.name}"
            before, after = line[: found.start()], line[found.end() :]
            if (before and not before.endswith((" ", "\t"))) or (after and not after.startswith((" ", "\t"))):
                yield f"an encoded-word touches its neighbour in {field.name}: {line}"
            try:
                decode_word(*found.groups())
            except Malformed as err:
                yield f"{field.name}: {err}"


def subject_is_the_letters(mail: Mail) -> Iterator[str]:
    expected = mail.filled(mail.letter.head["subject"])
    value = mail.whole.value("Subject")
    if decode_words(value) != expected:
        yield f"reads {decode_words(value)!r} and not {expected!r}"
    by_library = email.message_from_bytes(mail.raw, policy=email.policy.default)["Subject"]
    if str(by_library) != expected:
        yield f"the standard library reads {str(by_library)!r} and not {expected!r}"
    if re.match(r"(?i)\s*(re|fwd?|aw|wg|sv)\s*:", expected):
        yield f"pretends to be an answer: {expected!r}"


def to_is_the_recipient(mail: Mail) -> Iterator[str]:
    value = mail.whole.value("To")
    name, address = read_mailbox(value)
    if (name, address) != (mail.person.name, mail.person.address):
        yield f"reads {name!r}, {address!r} and not {mail.person.name!r}, {mail.person.address!r}"
    phrase, by_library = parseaddr(value)
    if by_library != mail.person.address or str(make_header(decode_header(phrase))) != mail.person.name:
        yield f"the standard library reads {phrase!r}, {by_library!r}"
    if not re.fullmatch(r"[!-?A-~]+@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]+", address):
        yield f"no ASCII address under a domain in A-labels: {address!r}"


def _leave_uris(mail: Mail) -> list[str]:
    return re.findall(r"<([^<>]*)>", mail.whole.value("List-Unsubscribe"))


def leaving_is_offered(mail: Mail) -> Iterator[str]:
    value = mail.whole.value("List-Unsubscribe")
    if not re.fullmatch(r"<[!-;=?-~]+>(?:,\s*<[!-;=?-~]+>)*", value):
        yield f"no list of addresses in brackets: {value!r}"
    house = mail.letter.house
    schemes = [uri.partition(":")[0] for uri in _leave_uris(mail)]
    if schemes.count("https") != (house.leave_mode == "own") or set(schemes) - {"https", "mailto"}:
        yield f"not one https address, and mailto at most beside it: {schemes}"
    mailbox = [uri for uri in _leave_uris(mail) if uri.startswith("mailto:")]
    token = mail.leave_url.rpartition("/")[2]
    expected = [f"mailto:{house.mailbox}?subject=leave%20{token}"] if house.mailbox else []
    if mailbox != (expected if house.leave_mode == "own" else [mail.leave_url]):
        yield f"another mailbox: {mailbox}"


def one_click(mail: Mail) -> Iterator[str]:
    promise = "List-Unsubscribe=One-Click" if mail.letter.house.leave_mode == "own" else ""
    if mail.whole.value("List-Unsubscribe-Post") != promise:
        yield "not exactly List-Unsubscribe=One-Click"


def leave_token_is_opaque(mail: Mail) -> Iterator[str]:
    uri = next(iter(_leave_uris(mail)), "")
    token = re.split("/|%20", uri)[-1]
    if not re.fullmatch(r"[A-Za-z0-9_-]{22,}", token):
        yield f"no token of 22 characters: {token!r}"
    address = mail.person.address
    told = {address, address.replace("@", "%40"), urlsafe_b64encode(address.encode()).decode().strip("=")}
    if any(each.lower() in uri.lower() for each in told):
        yield "the address stands in it"
    if uri != mail.leave_url:
        yield f"not the one kept for this person: {uri}"


def leave_tokens_differ(mails: Sequence[Mail]) -> Iterator[str]:
    owner: dict[str, tuple[str, str]] = {}
    for mail in mails:
        who = (mail.letter.house.name, mail.person.address)
        if owner.setdefault(mail.whole.value("List-Unsubscribe").partition(">")[0], who) != who:
            yield "two people share a token"


def list_id_is_right(mail: Mail) -> Iterator[str]:
    value = mail.whole.value("List-Id")
    found = re.fullmatch(r"(.*?)\s*<([a-z0-9-]+(?:\.[a-z0-9-]+)+)>", value)
    if not found:
        yield f"no <label.domain>: {value!r}"
        return
    if found[2] != mail.letter.house.list_id or len(found[2]) > 255:
        yield f"not our list: {found[2]}"
    if decode_words(found[1].strip('"')) != mail.letter.house.name:
        yield f"called {found[1]!r} and not {mail.letter.house.name!r}"


def list_id_is_one(mails: Sequence[Mail]) -> Iterator[str]:
    seen = {(mail.letter.house.name, mail.whole.value("List-Id")) for mail in mails}
    if len(seen) != len({name for name, _ in seen}):
        yield "the same newsletter under two List-Ids"


def two_parts(mail: Mail) -> Iterator[str]:
    if mail.whole.media_type != "multipart/alternative":
        yield f"is {mail.whole.media_type}"
    kinds = [part.media_type for part in mail.whole.parts]
    if kinds != ["text/plain", "text/html"]:
        yield f"the parts are {kinds}"
    for part in mail.whole.parts:
        if part.parameter("charset").lower() != "utf-8":
            yield f"{part.media_type} has charset {part.parameter('charset')!r}"
        if part.encoding not in ("quoted-printable", "base64"):
            yield f"{part.media_type} is in {part.encoding or 'no encoding'}"
    if mail.whole.value("MIME-Version") != "1.0":
        yield "MIME-Version is not 1.0"
    if mail.whole.encoding not in ("", "7bit", "8bit", "binary"):
        yield f"the multipart itself is in {mail.whole.encoding}"
    boundary = mail.whole.parameter("boundary")
    if not re.fullmatch(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]", boundary):
        yield f"a boundary that is none: {boundary!r}"
    if any(boundary.encode() in part.body for part in mail.whole.parts):
        yield "the boundary stands in a part"


def boundaries_are_settled(mails: Sequence[Mail]) -> Iterator[str]:
    seen = {(mail.letter.house.name, mail.letter.id, mail.whole.parameter("boundary")) for mail in mails}
    if len(seen) != len({(house, letter) for house, letter, _ in seen}):
        yield "one letter has two boundaries"


_NO_TEXT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")


def text_is_text(mail: Mail) -> Iterator[str]:
    for part in mail.whole.parts:
        try:
            found = _NO_TEXT.search(part.text)
        except Malformed as err:
            yield str(err)
            continue
        if found:
            yield f"U+{ord(found[0]):04X} in {part.media_type}"
    if not re.search(rb'<meta charset="?utf-8"?\s*/?>', mail.whole.parts[-1].octets[:1024], re.IGNORECASE):
        yield "no <meta charset> within 1024 bytes"


def not_clipped(mail: Mail) -> Iterator[str]:
    size = len(mail.whole.parts[-1].octets)
    if size > CLIPPED_BYTES:
        yield f"the HTML has {size:,} bytes"
    if len(mail.raw) > MESSAGE_BYTES:
        yield f"the message has {len(mail.raw):,} bytes"


def is_ip_address(host: str) -> bool:
    """Whether a host is a number and no name."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host.isdigit()
    return True
