"""Items 17 to 23 and 29 to 36: the HTML of a letter. Every check yields what it objects to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from tests.acceptance.mailing import Mail
from tests.acceptance.pages import CONDITIONAL, Page, hides, page_of, style_of, texts
from tests.acceptance.rules_message import is_ip_address

RIGHT_TO_LEFT = ("ar", "he", "fa", "ur")
STYLE_BYTES = 16_384
_LANGUAGE = re.compile(
    r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\d{3}))?(-[a-z0-9]{5,8})*"
)  # BCP 47, without extensions


def is_a_document(mail: Mail) -> Iterator[str]:
    if not mail.html.startswith("<!DOCTYPE html>"):
        yield f"begins with {mail.html[:40]!r}"
    for error in mail.page.errors:
        yield f"parse error: {error}"


def says_its_language(mail: Mail) -> Iterator[str]:
    letter = mail.letter
    direction = "rtl" if letter.language.partition("-")[0] in RIGHT_TO_LEFT else "ltr"
    for element in (mail.page.root, *mail.page.body.iterchildren("*")):
        language = element.get("lang", "")
        if not _LANGUAGE.fullmatch(language) or language != letter.language:
            yield f"<{element.tag}> has lang={language!r}"
        if element.get("dir") != direction:
            yield f"<{element.tag}> has dir={element.get('dir')!r}"


def has_a_title(mail: Mail) -> Iterator[str]:
    titles = [" ".join((element.text or "").split()) for element in mail.page.all("title")]
    if len(titles) != 1 or mail.letter.head["title"] not in titles[0]:
        yield f"the title is {titles}"


def tables_say_what_they_are(mail: Mail) -> Iterator[str]:
    for table in mail.page.all("table"):
        if table.get("role") not in ("presentation", "none") and not table.xpath(".//th[@scope]"):
            yield "a table is neither layout nor data"
    for _, content in mail.page.conditionals:
        for tag in re.findall(r"<table\b[^>]*>", content):
            if 'role="presentation"' not in tag:
                yield f"a table for Outlook without a role: {tag}"


def pictures_are_sound(mail: Mail) -> Iterator[str]:
    for picture in mail.page.all("img"):
        source = picture.get("src", "")
        if picture.get("alt") is None:
            yield f"no alt: {source}"
        if not re.match(r"(https://|cid:)", source):
            yield f"no full address: {source[:60]}"
        if not re.fullmatch(r"[1-9]\d*", picture.get("width", "")):
            yield f"width={picture.get('width')!r}"
        if urlsplit(source).path.lower().endswith(".svg"):
            yield f"an SVG: {source}"
        if not picture.get("alt") and any(each.tag == "a" for each in picture.iterancestors()):
            yield f"a linked picture without words: {source}"
    if any(
        element.tag.endswith("}svg") for element in mail.page.elements
    ):  # elements of another language keep its name
        yield "an inline SVG"


GENERIC = frozenset(
    {"here", "click here", "click", "this", "this link", "link", "more", "read more", "learn more", "read on"}
)
SHORTENERS = ("bit.ly", "tinyurl.com", "t.co", "goo.gl", "ow.ly", "is.gd", "buff.ly", "rb.gy", "cutt.ly", "lnkd.in")


def links_lead_somewhere(mail: Mail) -> Iterator[str]:
    ids = {element.get("id") for element in mail.page.elements}
    for link in mail.page.all("a", "area"):
        address = link.get("href", "")
        if not re.match(r"(https://[^\s/]+|mailto:[^\s]+|tel:\+?\d+)", address) and address[1:] not in ids:
            yield f"leads nowhere: {address!r}"
        if re.search(r"\s", address) or not address.isascii():
            yield f"not an address as they travel: {address!r}"
        label = " ".join(f"{''.join(text for _, text in texts(link))} {link.get('aria-label', '')}".split())
        if not label:
            yield f"no words for {address}"
        if label.casefold().strip(" .!…→") in GENERIC:
            yield f"words that say nothing: {label!r}"
        host = urlsplit(address).hostname or ""
        if host in SHORTENERS or is_ip_address(host):
            yield f"hides where it leads: {address}"


def headings_are_steps(mail: Mail) -> Iterator[str]:
    levels = [int(element.tag[1]) for element in mail.page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    if levels.count(1) > 1 or (not levels.count(1) and len(mail.page.words) > 150):
        yield f"{levels.count(1)} headings of the first level"
    if any(below > above + 1 for above, below in pairwise([0, *levels])):
        yield f"a level is skipped: {levels}"


def styles_are_kept_small(mail: Mail) -> Iterator[str]:
    for element in mail.page.all("style"):
        if element.getparent().tag != "head":
            yield "a style outside the head"
    size = sum(len(style.encode()) for style in mail.page.styles)
    if size > STYLE_BYTES:
        yield f"{size:,} bytes of styles"
    if any(element.get("rel", "").lower() == "stylesheet" for element in mail.page.all("link")):
        yield "a linked style sheet"
    everything = "\n".join((*mail.page.styles, *(content for _, content in mail.page.conditionals)))
    if re.search(r"(?i)@import", everything):
        yield "an @import"
    if any(rule.around.count("@media") > 1 for rule in mail.page.rules):
        yield "a nested @media"
    for found in re.finditer(r"(.)!\s*important", everything, re.IGNORECASE | re.DOTALL):
        if found[0] != " !important":
            yield f"written {found[0]!r}"


def _classes(page: Page) -> list[tuple[str, ...]]:
    return [tuple(element.get("class", "").split()) for element in page.body.iter("*")]


def kept_rules_are_whole(mail: Mail) -> Iterator[str]:
    kept = re.findall(r'<style data-premailer="ignore">(.*?)</style>', mail.source, re.DOTALL)
    if not kept or any(f">{block}</style>" not in mail.html for block in kept):
        yield "a kept block is not as it was written"
    source = page_of(mail.source)
    if _classes(source) != _classes(mail.page):
        yield "an element lost or changed its classes"
    if [element.tag for element in source.elements if element.tag != "style"] != [
        element.tag for element in mail.page.elements if element.tag != "style"
    ]:
        yield "an element went missing, or came to it"


_TRAPS = re.compile(
    r"var\(|[{}]|!\s*important|\b(rgba?|hsla?|hwb|lab|lch|oklab|oklch|color(-mix)?|light-dark)\(", re.IGNORECASE
)


def inline_styles_are_plain(mail: Mail) -> Iterator[str]:
    for element in mail.page.elements:
        style = element.get("style", "")
        found = _TRAPS.search(style)
        if found:
            yield f"{found[0]!r} in <{element.tag}>"
        if re.search(r"#[0-9a-fA-F]{3,4}\b(?![0-9a-fA-F])", style):
            yield f"a short colour in <{element.tag}>: {style[:60]}"


def dark_is_provided_for(mail: Mail) -> Iterator[str]:
    metas = {element.get("name"): element.get("content") for element in mail.page.all("meta")}
    for name in ("color-scheme", "supported-color-schemes"):
        if metas.get(name) != "light dark":
            yield f"{name} is {metas.get(name)!r}"
    dark = [rule for rule in mail.page.rules if "prefers-color-scheme: dark" in rule.around]
    if not dark:
        yield "no rules for the dark"
    for rule in dark:
        for declaration in rule.declarations:
            if not declaration.endswith(" !important"):
                yield f"{rule.selector} {{ {declaration} }} loses to the inline style"
    for attribute in ("[data-ogsc]", "[data-ogsb]"):
        rules = [rule for rule in mail.page.rules if attribute in rule.selector]
        if not rules or any("@media" in rule.around for rule in rules):
            yield f"no rules of their own for {attribute}"


_VOID = {"img", "br", "hr", "meta", "link", "input", "col", "v:fill", "o:lock"}


def outlook_comments_are_whole(mail: Mail) -> Iterator[str]:
    opened, closed = mail.html.count("<!--[if"), len(re.findall(r"<!\[endif\]-->", mail.html))
    if opened != closed or opened != len(CONDITIONAL.findall(mail.html)):
        yield f"{opened} conditional comments are opened, {closed} closed"
    if re.search(r"<!\[if|<!\[endif\](?!-->)", mail.html):
        yield "a bare <![if"
    if mail.page.conditionals != page_of(mail.source).conditionals:
        yield "a conditional comment is not as it was written"
    open_tags: list[str] = []
    for _, content in mail.page.conditionals:
        for slash, tag, end in re.findall(r"<(/?)([a-zA-Z][\w:]*)\b[^>]*?(/?)>", content):
            if slash and (not open_tags or open_tags.pop() != tag):
                yield f"</{tag}> closes nothing that Outlook opened"
            elif not slash and not end and tag not in _VOID:
                open_tags.append(tag)
    if open_tags:
        yield f"Outlook never closes {open_tags}"


def outlook_links_are_the_same(mail: Mail) -> Iterator[str]:
    targets = {link.get("href") for link in mail.page.all("a")}
    for address in re.findall(r'<v:[a-z]+[^>]*\bhref="([^"]*)"', mail.html):
        if unescape(address) not in targets:
            yield f"VML leads elsewhere: {address}"


_FORBIDDEN = (
    *("script", "iframe", "frame", "form", "input", "button", "select", "textarea"),
    *("object", "embed", "applet", "base", "video", "audio", "portal"),
)


def nothing_runs(mail: Mail) -> Iterator[str]:
    for element in mail.page.all(*_FORBIDDEN):
        yield f"<{element.tag}>"
    for element in mail.page.all("meta"):
        if element.get("http-equiv", "").lower() == "refresh":
            yield "a page that goes elsewhere by itself"
    for element in mail.page.elements:
        for name, value in element.attrib.items():
            if name.lower().startswith("on"):
                yield f"{name}= on <{element.tag}>"
            if re.match(r"(?i)\s*(javascript|vbscript|data):", value):
                yield f"{name}={value[:30]!r}"


def attributes_are_measures(mail: Mail) -> Iterator[str]:
    for element in mail.page.elements:
        for name in ("width", "height"):
            if not re.fullmatch(r"\d+%?", element.get(name, "0")):
                yield f"<{element.tag} {name}={element.get(name)!r}>"
        if not re.fullmatch(r"#[0-9a-f]{6}", element.get("bgcolor", "#000000")):
            yield f"<{element.tag} bgcolor={element.get('bgcolor')!r}>"


_OWN_VALUE = 40  # characters of a reader's own that count for the length of a preheader


def _length_as_written(text: str, mail: Mail) -> int:
    longest = max((len(value) for value in mail.person.values if value in text), default=0)
    return len(text) - max(0, longest - _OWN_VALUE)


def preheader_is_first(mail: Mail) -> Iterator[str]:
    first: Any = next(mail.page.body.iterchildren("*"), None)
    text = "" if first is None else " ".join("".join(first.itertext()).split())
    if text != " ".join(mail.filled(mail.letter.head["preheader"]).split()):
        yield f"the body begins with {text[:60]!r}"
    if not 35 <= _length_as_written(text, mail) <= 130:
        yield f"it has {len(text)} characters"
    if text == mail.filled(mail.letter.head["subject"]):
        yield "it repeats the subject"
    style = {} if first is None else style_of(first)
    if style.get("mso-hide") != "all" or style.get("display") != "none":
        yield f"it is not hidden everywhere: {style}"
    if "color" in style or "font-size" in style:
        yield "it is hidden by a trick"
    for element in mail.page.body.iter("*"):
        if element is not first and hides(element) and "".join(text for _, text in texts(element)).strip():
            yield f"more is hidden: <{element.tag}> {''.join(element.itertext())[:40]!r}"
    if mail.page.body.text and mail.page.body.text.strip():
        yield "text stands before it"
