"""Items 37 to 40: what is one reader's own, the text part, and what the law asks for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape, unescape
from urllib.parse import quote, unquote

from tests.acceptance.mailing import Mail
from tests.acceptance.messages import decode_words
from tests.acceptance.pages import words_of

_LEFT_OVER = re.compile(
    r"\{\{|\}\}|\{%|%\}|%7B%7B|%7D%7D|__NL_|\*\||\|\*|zq[0-9a-f]{16}H\d|>None<|>undefined<|\bundefined\b"
)


def _without_own(text: str, mail: Mail) -> str:
    """*text* without what is the reader's or the house's own, however it is escaped: they may be called {{7*7}}."""
    house = mail.letter.house
    own = {*mail.person.values, house.name, house.sender, house.tagline, house.reason, *house.postal_address}
    forms = {form(value) for value in own for form in (str, _escaped, _percent)} | {v.upper() for v in own}
    forms |= {_escaped(value.upper()) for value in own}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, "·")
    return text


def _escaped(value: str) -> str:
    return escape(value).replace("&#x27;", "&#39;")


def _percent(value: str) -> str:
    return quote(value, safe="")


def nothing_is_left_over(mail: Mail) -> Iterator[str]:
    written = mail.letter.text
    headers = [decode_words(field.body) for field in mail.whole.fields]
    for where, text in (("text", mail.text), ("HTML", mail.html), *(("header", line) for line in headers)):
        for found in _LEFT_OVER.finditer(_without_own(text, mail)):
            if "{{" in found[0] or found[0] not in written:
                yield f"{found[0]!r} in the {where}"
                break


def own_words_are_literal(mail: Mail) -> Iterator[str]:
    """Where a letter shows a field, the reader's own words stand there as they are."""
    shown = {
        mail.filled(found[0])
        for found in re.finditer(r"\{\{ (?:first_name|name|city) \| default\(\W[^'\")]*\W\) \}\}", mail.letter.body)
    }
    prose, text = mail.page.prose + _attribute_words(mail), " ".join(mail.text.split())
    for value in shown:
        if " ".join(value.split()) not in prose:
            yield f"{value[:60]!r} is not what the HTML shows"
        if " ".join(value.split()) not in text:
            yield f"{value[:60]!r} is not what the text shows"


def _attribute_words(mail: Mail) -> str:
    return " ".join(
        " ".join(unquote(element.get("href", "")).split()) for element in mail.page.all("a")
    ) + mail.page.root.findtext("head/title")


def nobody_changes_the_page(mails: Sequence[Mail]) -> Iterator[str]:
    """The elements, the attributes and the headers are the same for all who get the same variant."""
    first: dict[tuple[str, str, str], Mail] = {}
    for mail in mails:
        one = first.setdefault((mail.letter.house.name, mail.letter.id, mail.source), mail)
        if one.page.skeleton != mail.page.skeleton:
            yield f"{mail.person.address}: other elements than {one.person.address} in {mail.letter.id}"
        if [field.name for field in one.whole.fields] != [field.name for field in mail.whole.fields]:
            yield f"{mail.person.address}: other headers than {one.person.address} in {mail.letter.id}"
        pictures = [[element.get("src") for element in each.page.all("img")] for each in (one, mail)]
        if pictures[0] != pictures[1]:
            yield f"{mail.person.address}: pictures of their own in {mail.letter.id}"


_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}")
_ADDRESS = re.compile(r"[\w.!#$&'*+/=?^`{|}~-]+@[\w.-]+\w")


def nothing_of_anybody_else(mails: Sequence[Mail]) -> Iterator[str]:
    people = {mail.person.address: mail for mail in mails}
    owner = {mail.person.leave_token: mail.person.address for mail in mails}
    for mail in mails:
        mine = {token for token in _TOKEN.findall(mail.text) if f"/preferences/{token}" in mail.text}
        owner.update(dict.fromkeys(mine, mail.person.address))
    owner.pop("", None)
    for mail in mails:
        everything = _without_own(f"{mail.whole.fields} {mail.text} {unquote(unescape(mail.html))}", mail)
        for token in set(_TOKEN.findall(everything)) & owner.keys():
            if owner[token] != mail.person.address:
                yield f"{mail.person.address} has a token of {owner[token]}"
        for address in set(_ADDRESS.findall(everything)) & people.keys():
            if address != mail.person.address:
                yield f"{mail.person.address} reads the address of {address}"


def text_says_the_same(mail: Mail) -> Iterator[str]:
    in_html, in_text = Counter(mail.page.words), Counter(words_of(mail.text))
    missing = in_html - in_text
    if missing.total() > in_html.total() / 10:
        yield f"{missing.total()} of {in_html.total()} words are missing: {list(missing)[:10]}"
    headings = [" ".join(words_of("".join(each.itertext()))) for each in mail.page.all("h1", "h2", "h3")]
    line, at = " ".join(words_of(mail.text)), 0
    for heading in headings:
        at = line.find(heading, at)
        if at < 0:
            yield f"{heading!r} is not there, or not in its place"
            break


def text_has_the_links(mail: Mail) -> Iterator[str]:
    addresses = set(re.findall(r"[^\s<>\"()]+(?:\([^\s()]*\)[^\s<>\"()]*)*", mail.text))
    for link in mail.page.all("a"):
        address = link.get("href", "")
        if address.startswith("https:") and address not in addresses:
            yield f"{address} is not in the text"


def text_is_plain(mail: Mail) -> Iterator[str]:
    house = f"{mail.letter.house.reason} {mail.letter.house.tagline} {mail.letter.house.name}"
    text = re.sub(r"https://\S+", "·", _without_own(mail.text, mail))
    for found in re.finditer(r"</?[a-zA-Z][^<>\n]*>|&(?:[a-z]{2,8}|#\d+|#x[0-9a-fA-F]+);", text):
        if found[0] not in f"{mail.letter.text} {unescape(mail.letter.text)} {house}":
            yield f"markup: {found[0][:60]}"
    for found in re.finditer("[\u00ad\u034f\u200b-\u200d\u2060\ufeff]", text):
        if found[0] not in unescape(mail.letter.text):
            yield f"an invisible U+{ord(found[0]):04X}"
    for line in text.split("\n"):
        if len(line) > 78 and len(line.split()) > 1 and "·" not in line and not line.startswith("    "):
            yield f"a line of {len(line)}: {line[:60]}"


def law_is_kept(mail: Mail) -> Iterator[str]:
    house = mail.letter.house
    links = [link.get("href") for link in mail.page.all("a")]
    if links.count(mail.leave_url) < 1 or mail.leave_url not in mail.text.split():
        yield "no way to leave"
    if mail.letter.web_version not in links or mail.letter.web_version not in mail.text.split():
        yield "no web version"
    prose, text = mail.page.prose, " ".join(mail.text.split())
    for what, value in (
        ("sender", house.sender),
        ("reason", house.reason),
        *(("postal address", line) for line in house.postal_address),
    ):
        if value not in prose:
            yield f"the HTML does not show the {what}"
        if value not in text:
            yield f"the text does not show the {what}"


def nothing_tracks(mail: Mail) -> Iterator[str]:
    for picture in mail.page.all("img"):
        source = picture.get("src", "")
        if any(value in ("0", "1", "2") for value in (picture.get("width"), picture.get("height"))):
            yield f"a pixel: {source}"
        if mail.person.leave_token in source or any(value in unquote(source) for value in mail.person.values):
            yield f"a picture that tells who looks: {source}"
    for found in re.finditer(r"url\(\s*['\"]?(https?:[^)'\"]*)", mail.html):
        yield f"a style that fetches: {found[1]}"
