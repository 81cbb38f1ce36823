"""Links and pictures: what they say, and where they lead."""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import SplitResult, parse_qsl, urlsplit

from newsletter.content.issue import Level
from newsletter.rendering.checks.reading import Link, Reading
from newsletter.rendering.checks.rule import Check, Found

# Services that hide where a link leads; mailboxes distrust them, and readers should.
_SHORTENERS = frozenset(
    (
        *("bit.ly", "tinyurl.com", "t.co", "goo.gl", "ow.ly", "is.gd", "v.gd", "buff.ly", "rebrand.ly", "cutt.ly"),
        *("tiny.cc", "shorturl.at", "rb.gy", "t.ly", "lnkd.in", "bl.ink", "s.id", "qr.ae", "trib.al", "dlvr.it"),
    )
)
_TRACKERS = re.compile(
    r"(utm_\w+|fbclid|gclid|dclid|msclkid|mc_[ce]id|mkt_tok|_hs(enc|mi)|igshid|yclid|vero_id|oly_\w+_id)"
)
_SAYS_NOTHING = {
    "en": "click here|click|here|this|this link|link|read more|more|more info|learn more"
    "|this page|this article|website"
    "|go|see here|download|find out more|details",
    "de": "hier klicken|klicken|hier|dieser link|link|mehr|mehr lesen"
    "|weiterlesen|weiter|mehr erfahren|webseite|details",
}
_USELESS_ALT = re.compile(
    r"(?i)\s*(an? |the )?(image|picture|photo|photograph|graphic|logo|icon|illustration|banner|screenshot"
    r"|bild|foto|grafik)"
    r"( \d+)?[.:]?\s*|\S+\.(jpe?g|png|gif|webp|svg)|(img|dsc|image)[_-]?\d+|\W+"
)
_PREFIX = re.compile(r"(?i)\s*(image|picture|photo|graphic|bild|foto) (of|von)\b")


def _text(reading: Reading) -> Iterator[Found]:
    nothing = {word for language in (reading.language, "en") for word in _SAYS_NOTHING.get(language, "").split("|")}
    for link in reading.links:
        text = link.text.strip().casefold().rstrip(".!:→»> ")
        if text in nothing - {""}:
            yield Found(at=link.at, what=f"the link says only {link.text.strip()!r}")
        elif re.match(r"(https?://|www\.)", text):
            yield Found(at=link.at, what="the link shows its bare address")


def _shortener(reading: Reading) -> Iterator[Found]:
    for link in reading.links:
        if (host := _host(link)).removeprefix("www.") in _SHORTENERS:
            yield Found(at=link.at, what=f"{host} hides where the link leads")


def _tracking(reading: Reading) -> Iterator[Found]:
    for link in reading.links:
        names = sorted(
            name for name, _ in parse_qsl(_split(link).query, keep_blank_values=True) if _TRACKERS.fullmatch(name)
        )
        if names:
            yield Found(at=link.at, what=f"the link carries {', '.join(names)}, which tells on the reader")


def _nowhere(reading: Reading) -> Iterator[Found]:
    for link in reading.links:
        host = _host(link)
        if link.url.startswith("https://") and (_is_number(host) or _is_local(host)):
            yield Found(at=link.at, what=f"no reader can open {host or 'an address without a host'!r}")


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.replace(".", "").isdigit()
    return True


def _is_local(host: str) -> bool:
    return "." not in host or host.endswith((".local", ".localhost", ".internal", ".lan", ".test", ".invalid"))


def _anchor(reading: Reading) -> Iterator[Found]:
    blocks = enumerate(reading.issue.blocks, start=1)
    ids = {f"{block.kind}-{block.attributes.get('id') or number}" for number, block in blocks}
    for link in reading.links:
        if link.url.startswith("#") and link.url[1:] not in ids:
            what = f"the letter has no place called {link.url!r}"
            yield Found(at=link.at, what=what, hint=f"its places are {', '.join(f'#{name}' for name in sorted(ids))}")


def _same_words(reading: Reading) -> Iterator[Found]:
    """Links that cannot be told apart in a list of links, as screen readers show it."""
    places: dict[str, list[Link]] = defaultdict(list)
    for link in reading.links:
        if text := link.text.strip().casefold():
            places[text].append(link)
    for first, *others in places.values():
        for other in others:
            if other.url != first.url:
                what = f"{other.text.strip()!r} leads elsewhere than on line {first.at.line}"
                yield Found(at=other.at, what=what)


def _alt(reading: Reading) -> Iterator[Found]:
    for picture in reading.pictures:
        alt = picture.alt.strip()
        if _USELESS_ALT.fullmatch(alt) or alt == picture.src.rpartition("/")[2]:
            yield Found(at=picture.at, what=f"alt={alt!r} says nothing about the picture")
        elif _PREFIX.match(alt):
            yield Found(
                at=picture.at, what=f"alt begins with {_begin(alt)!r}", hint="leave that out: it is announced anyway"
            )
        elif alt and alt == picture.caption.strip():
            yield Found(at=picture.at, what="alt and caption are the same words", hint="let alt say what is to be seen")


def _begin(alt: str) -> str:
    found = _PREFIX.match(alt)
    return found[0].strip() if found else alt


def _host(link: Link) -> str:
    return (_split(link).hostname or "").lower()


def _split(link: Link) -> SplitResult:
    try:
        return urlsplit(link.url)
    except ValueError:  # an unclosed bracket and the like
        return urlsplit("")


CHECKS = (
    Check(
        id="link-text",
        level=Level.WARNING,
        about='a link that says "click here" or shows its bare address: out of its sentence it says nothing',
        fix="let the link say what is behind it",
        find=_text,
    ),
    Check(
        id="link-same",
        level=Level.WARNING,
        about="links with the same words that lead to different places",
        fix="let each say where it leads",
        find=_same_words,
    ),
    Check(
        id="link-shortener",
        level=Level.ERROR,
        about="shortened links: mailboxes distrust them, and they count readers",
        fix="write the address that it leads to",
        find=_shortener,
    ),
    Check(
        id="link-tracking",
        level=Level.WARNING,
        about="parameters that follow readers, such as `utm_source` or `fbclid`",
        fix="take them off; the page opens without",
        find=_tracking,
    ),
    Check(
        id="link-nowhere",
        level=Level.ERROR,
        about="addresses that no reader can open: bare numbers, `localhost`, `.local`, `.test`",
        fix="write the public address",
        find=_nowhere,
    ),
    Check(
        id="link-anchor",
        level=Level.ERROR,
        about="a `#place` that the letter does not have",
        fix='name the block with {id="…"}, and link to #kind-id',
        find=_anchor,
    ),
    Check(
        id="alt-text",
        level=Level.WARNING,
        about='alternative texts that say nothing ("image", a file name) or repeat the caption',
        fix="say what somebody who cannot see the picture should know",
        find=_alt,
    ),
)
