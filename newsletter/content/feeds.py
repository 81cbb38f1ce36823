"""From what feeds gave to a `feed` block: strangers' words as plain text, and of their links only what is one."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote, urljoin, urlsplit

import nh3

MAX_TITLE = 120  # characters
MAX_SENTENCE = 200
MAX_LINK = 2000
_ENOUGH = 40  # a first sentence shorter than this takes the next along

# Where HTML ends a line, words of two lines must not become one.
_LINE_ENDS = re.compile(r"(?i)<(?=/?(?:p|br|div|li|ul|ol|h[1-6]|tr|td|th|dt|dd|blockquote|hr|pre|section)\b)")
_NO_TEXT = {"script", "style", "noscript", "template", "iframe", "object", "svg", "math", "textarea", "select", "title"}
_JOINERS = "\u200c\u200d"  # Persian and emoji are not written without; all else that is unseen goes
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and signs that show nothing
_SENTENCE_END = re.compile("[.!?\u2026]+[\"'\u201d\u2019\u00bb)]*(?=\\s)|[\u3002\uff01\uff1f](?=.)")
# Whatever Markdown, its marker ==, expressions and fences could take for theirs.
_MARKDOWN = re.compile(r"[\\`*_\[\]<]|&(?=#?\w+;)|=(?==)|(?<==)=|\{(?=[{%])|(?<=\{)[{%]|:(?=::)|(?<=:):(?=:)|(?<=::):")
_IN_LINKS = "-._~/?#@!$&+,;:=%"


class Entry(Protocol):
    """An entry as its feed wrote it. Title and summary are HTML that nobody has looked at."""

    @property
    def id(self) -> str: ...
    @property
    def link(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def published(self) -> datetime | None: ...
    @property
    def first_seen(self) -> datetime | None: ...
    @property
    def tags(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An entry that a letter may show: plain text without anything unseen, and a full https:// link."""

    link: str
    title: str
    sentence: str  # "" where the feed has no words beside the title
    at: datetime
    tags: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The site it leads to."""
        return (urlsplit(self.link).hostname or "").removeprefix("www.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The editor's rule: the `latest` so many, of one site at most `per_source` (0: any), with one of `tags` if any."""

    latest: int
    per_source: int = 0
    tags: tuple[str, ...] = ()


def items_of(entries: Iterable[Entry], *, base: str, now: datetime) -> list[Item]:
    """What is fit to be shown of *entries*, newest first, each once; *base* is where the feed came from.

    What has no date, or one in the future, counts as of when it was first seen: now, and not again next week.
    """
    items: list[Item] = []
    ids: set[str] = set()
    links: set[str] = set()
    for entry in entries:
        link = safe_link(entry.link or entry.id, base=base)
        title, sentence = _words(entry)
        if not link or not title or link in links or (entry.id and entry.id in ids):
            continue
        ids.add(entry.id)
        links.add(link)
        seen = min(entry.first_seen or now, now)
        at = entry.published if entry.published and entry.published <= now else seen
        tags = tuple(filter(None, (plain_text(html.escape(tag)) for tag in entry.tags)))
        items.append(Item(link=link, title=title, sentence=sentence, at=at, tags=tags))
    return sorted(items, key=lambda item: item.at, reverse=True)  # the feed's order among those of one moment


def _words(entry: Entry) -> tuple[str, str]:
    """The title, and a sentence that says something else; a feed of mere notes has no titles."""
    title, text = plain_text(entry.title), plain_text(entry.summary)
    if not title:
        title, text = first_sentence(text, most=MAX_TITLE), ""
    sentence = first_sentence(text)
    return clip(title, MAX_TITLE), "" if sentence.rstrip(".…") == title.rstrip(".…") else sentence


def pick(items: Sequence[Item], rule: Rule, *, since: datetime) -> list[Item]:
    """What a letter takes of *items* (newest first) that came after *since*."""
    wanted = {tag.casefold() for tag in rule.tags}
    taken: Counter[str] = Counter()
    picked = []
    for item in items:
        fits = not wanted or any(tag.casefold() in wanted for tag in item.tags)
        if item.at <= since or not fits or (rule.per_source and taken[item.source] >= rule.per_source):
            continue
        taken[item.source] += 1
        picked.append(item)
    return picked[: rule.latest]


def block(title: str, items: Sequence[Item]) -> str:
    """The Markdown of a `feed` block: an entry for each of *items*, its bold linked title and a sentence."""
    name = escape(" ".join(plain_text(html.escape(title)).split()))
    name = name.replace("\\", "\\\\").replace('"', '\\"')
    return "\n".join([f'::: feed {{title="{name}"}}', *(_line(item) for item in items), ":::", ""])


def _line(item: Item) -> str:
    lead = f"- **[{escape(item.title)}]({_destination(item.link)})**"
    return f"{lead} {escape(item.sentence)}" if item.sentence else lead


def escape(text: str) -> str:
    """*text* as Markdown that shows it letter for letter, and holds no expression."""
    return _MARKDOWN.sub(lambda found: f"\\{found[0]}", text)


def _destination(link: str) -> str:
    """A safe link as Markdown: what would be read as an entity is none."""
    return re.sub(r"&(?=#?\w+;)", "&amp;", link)


def plain_text(source: str) -> str:
    """The words of some HTML on one line, without markup and without anything that cannot be seen."""
    source = _seen(source)  # before as well: half a character is no text for it
    text = nh3.clean(_LINE_ENDS.sub(" <", source), tags=set(), clean_content_tags=_NO_TEXT)
    words = " ".join(_seen(unicodedata.normalize("NFC", html.unescape(text))).split())
    return words if words.strip(_JOINERS + " ") else ""


def _seen(text: str) -> str:
    """*text* as it is seen: controls are blanks, and what hides or turns the text around is gone."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_seen_character, text))


def _seen_character(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in ("Cc", "Zl", "Zp") or character in _BLANKS:
        return " "
    return character if kind[0] != "C" or character in _JOINERS else ""


def first_sentence(text: str, *, most: int = MAX_SENTENCE) -> str:
    """The first sentence of *text*, or the first few if it is very short, of at most *most* characters."""
    end = next((found.end() for found in _SENTENCE_END.finditer(text[: most + 1]) if found.end() >= _ENOUGH), None)
    return text[:end] if end and end <= most else clip(text, most)


def clip(text: str, most: int) -> str:
    """*text*, cut between words where it is longer than *most* characters."""
    if len(text) <= most:
        return text
    head, blank, _ = text[:most].rpartition(" ")
    whole_words = head if blank and len(head) > most // 2 else text[: most - 1]
    return whole_words.rstrip(" ,;:\u2013-(" + _JOINERS) + "…"


def safe_link(link: str, *, base: str = "") -> str:
    """*link*, seen from *base*, as a full https:// address in ASCII; "" if it cannot be one.

    What is linked by http is linked by https: a letter has no other links, and hardly a site is without.
    """
    link = link.strip()
    if len(link) > MAX_LINK or _seen(link) != link or "\\" in link:
        return ""
    try:
        given = urlsplit(link)
        parts = urlsplit(urljoin(base, link) if given.netloc or not given.scheme else "")
        host, port = _in_ascii(parts.hostname or ""), parts.port
    except ValueError:  # a UnicodeError is one
        return ""
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = None if port == usual else port
    if not usual or not _is_host(host) or "@" in parts.netloc or (parts.scheme == "http" and port):
        return ""
    place = host if port is None else f"{host}:{port}"
    rest = parts.path or "/"
    rest += f"?{parts.query}" if parts.query else ""
    rest += f"#{parts.fragment}" if parts.fragment else ""
    full = f"https://{place}{_quoted(rest)}"
    return full if len(full) <= MAX_LINK else ""


def _in_ascii(host: str) -> str:
    """A name as it is asked for. Raises ValueError."""
    if host.isascii():
        return host
    import idna  # noqa: PLC0415 - its tables take a while, and few names need them

    return idna.encode(host, uts46=True).decode()


def _is_host(host: str) -> bool:
    """Whether *host* is a name under some domain; bare numbers and this network's names lead elsewhere for everyone."""
    labels = host.lower().split(".")
    return (
        len(host) <= 253
        and len(labels) > 1
        and all(re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", label) for label in labels)
        and not labels[-1].isdigit()
    )


def _quoted(rest: str) -> str:
    """A path with what follows it, percent-encoded where it has to be; what is so already stays."""
    return re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", quote(rest, safe=_IN_LINKS))
