"""From the tags and texts of a page to an Article. Tags are obeyed as far as they say what words are; no further."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from newsletter.content.article import (
    Article,
    Code,
    Heading,
    Listing,
    Paragraph,
    Part,
    Quotation,
    Remark,
    Rule,
    Run,
    showable,
    tidied,
)

# What happens ("open", "close" or "text"), the tag or the text, the tag's attributes. Tags are nested properly.
# `grid` is a table of data; tables that only place things are no event.
Event = tuple[str, str, Mapping[str, str]]

DEEPEST_LIST = 3  # lists further in become paragraphs of the entry they stand in
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
        "footer form grid header hgroup hr legend li main menu nav ol option p pre search section summary ul",
    )
) | frozenset(_HEADINGS)
_STRONG = frozenset({"b", "strong", "dt", "th"})
_EMPHASIS = frozenset({"i", "em", "cite", "dfn", "var"})
_CODE = frozenset({"code", "kbd", "samp", "tt"})
_PLAYED = frozenset({"audio", "embed", "iframe", "object", "video"})
_FLATTENED = {
    "sup": "raised characters became plain ones",
    "sub": "lowered characters became plain ones",
    "s": "struck words became plain ones",
    "strike": "struck words became plain ones",
    "del": "struck words became plain ones",
}
_LONGEST = 100  # of a link in a remark


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    """How words are set at the moment."""

    strong: bool = False
    emphasis: bool = False
    code: bool = False
    link: str = ""
    heading: int = 0
    is_pre: bool = False
    in_grid: bool = False


@dataclass(slots=True, kw_only=True)
class _Frame:
    """What is being filled: the body, a list, an entry of it, or a quotation."""

    kind: str
    start: int = 1
    parts: list[Part] = field(default_factory=list)
    items: list[tuple[Part, ...]] = field(default_factory=list)


def article_of(events: Iterable[Event], *, title: str = "") -> Article:
    """The article that *events* tell."""
    builder = _Builder()
    for what, value, attributes in events:
        if what == "text":
            builder.say(value)
        elif what == "open":
            builder.begin(value, attributes)
        else:
            builder.end(value)
    return Article(parts=tuple(builder.finish()), title=" ".join(showable(title).split()))


def safe_link(address: str) -> tuple[str, str]:
    """*address* as far as a letter may link to it, else ""; and what an editor has to know."""
    address = showable(address).strip()
    shown = address if len(address) <= _LONGEST else f"{address[:_LONGEST]}…"
    try:
        parts = urlsplit(address)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        return "", f"a link that is none was left out: {shown}"
    if scheme in ("http", "https") and host:
        note = f"the check takes links by https only; does this one work so? {shown}" if scheme == "http" else ""
        return address, note
    if scheme in ("mailto", "tel") and parts.path:
        return address, ""
    if not address or address.startswith("#"):
        return "", ""  # a place on the same page
    return "", f"a link that a letter cannot have was left out, its words stay: {shown}"


class _Builder:
    def __init__(self) -> None:
        self._state = _State()
        self._before: list[tuple[_State, bool]] = []  # for each open tag: the state around it, and if it has a frame
        self._frames = [_Frame(kind="body")]
        self._runs: list[Run] = []
        self._remarks: list[str] = []
        self._told: set[str] = set()
        self._linked = 0  # characters since the last link began

    def say(self, text: str) -> None:
        shown = showable(text)
        if shown != text:
            self._remark("characters that no letter can show were left out", once=True)
        if not self._state.is_pre:
            shown = re.sub(r"[ \t\r\n\f]+", " ", shown)
        self._linked += len(shown.strip())
        self._append(shown)

    def begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag in _BLOCKS:
            self._end_paragraph()
        self._before.append((self._state, self._opens_frame(tag, attributes)))
        self._state = self._within(tag, attributes)
        match tag:
            case "br":
                self._break()
            case "img":
                self._picture(attributes)
            case "hr" if len(self._frames) == 1 and not self._state.in_grid:
                self._add(Rule())
            case _ if tag in _PLAYED:
                self._remark(f"what the page played here was left out: {attributes.get('src') or 'no address'}")
            case _ if tag in _FLATTENED:
                self._remark(_FLATTENED[tag], once=True)

    def end(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._end_paragraph()
        if tag in ("td", "th"):
            self._append(" | ")
        elif tag == "tr":
            self._end_row()
        elif tag == "a" and self._state.link and not self._linked:
            self._remark(f"a link without words was left out: {self._state.link}")
        self._state, has_frame = self._before.pop()
        if tag == "grid" and not self._state.in_grid:
            self._end_paragraph()
            self._remark("a table became lines, with | between its cells")
        if has_frame:
            self._close_frame()

    def finish(self) -> list[Part]:
        self._end_paragraph()
        while len(self._frames) > 1:
            self._close_frame()
        body = self._frames[0].parts
        return [*body, *(Remark(text) for text in self._remarks)]

    def _within(self, tag: str, attributes: Mapping[str, str]) -> _State:
        """How words are set inside of *tag*."""
        state = self._state
        if tag in _HEADINGS:
            # A heading within a list or a quotation heads no part of the letter.
            is_free = len(self._frames) == 1 and not state.in_grid
            return replace(state, heading=int(tag[1])) if is_free else replace(state, strong=True)
        if tag == "a" and "href" in attributes:
            link, note = safe_link(attributes["href"])
            self._linked = 0
            if note:
                self._remark(note)
            return replace(state, link=link)
        if tag == "pre":
            return replace(state, is_pre=True)
        if tag == "grid":
            return replace(state, in_grid=True)
        return replace(
            state,
            strong=state.strong or tag in _STRONG,
            emphasis=state.emphasis or tag in _EMPHASIS,
            code=state.code or tag in _CODE,
        )

    def _opens_frame(self, tag: str, attributes: Mapping[str, str]) -> bool:
        kinds = [frame.kind for frame in self._frames]
        if self._state.in_grid:
            return False
        if tag in ("ul", "ol", "menu"):
            if sum(kind in ("ul", "ol") for kind in kinds) >= DEEPEST_LIST:
                return False
            start = attributes.get("start", "")
            number = int(start) if re.fullmatch(r"[0-9]{1,6}", start) else 1
            self._frames.append(_Frame(kind="ol" if tag == "ol" else "ul", start=number))
            return True
        if (tag == "li" and kinds[-1] in ("ul", "ol")) or (tag == "blockquote" and kinds == ["body"]):
            self._frames.append(_Frame(kind=tag))
            return True
        return False

    def _close_frame(self) -> None:
        self._end_paragraph()
        frame = self._frames.pop()
        match frame.kind:
            case "li" if frame.parts:
                self._frames[-1].items.append(tuple(frame.parts))
            case "blockquote" if frame.parts:
                self._add(Quotation(parts=tuple(frame.parts)))
            case "ul" | "ol" if frame.items:
                self._add(Listing(ordered=frame.kind == "ol", start=frame.start, items=tuple(frame.items)))

    def _add(self, part: Part) -> None:
        frame = self._frames[-1]
        if frame.kind in ("ul", "ol"):
            frame.items.append((part,))
            return
        frame.parts.append(part)
        if len(self._frames) == 1:
            frame.parts += [Remark(text) for text in self._remarks]
            self._remarks.clear()

    def _remark(self, text: str, *, once: bool = False) -> None:
        text = " ".join(showable(text).split())
        if not once or text not in self._told:
            self._told.add(text)
            self._remarks.append(text)

    def _append(self, text: str) -> None:
        state = self._state
        self._runs.append(
            Run(text=text, strong=state.strong, emphasis=state.emphasis, code=state.code, link=state.link)
        )

    def _break(self) -> None:
        """A new line; a second one in a row begins a new paragraph."""
        last = next((run.text for run in reversed(self._runs) if run.text.strip(" ")), "")
        if last.endswith("\n") and not self._state.in_grid and not self._state.is_pre:
            self._end_paragraph()
        else:
            self._append("\n")

    def _picture(self, attributes: Mapping[str, str]) -> None:
        words = " ".join(attributes.get("alt", "").split())
        source = attributes.get("src", "")
        source = "its data, within the file" if source.startswith("data:") else source[:_LONGEST] or "no address"
        instead = f"its description stands there: {words}" if words else "and it has no description"
        self._remark(f"a picture was left out, {instead} ({source}); a picture in a letter is a block of its own")
        self._append(" ")
        self.say(words)
        self._append(" ")

    def _end_row(self) -> None:
        """Take the bar after the last cell of a row back, and begin a new line."""
        while self._runs and self._runs[-1].text in (" | ", " "):
            self._runs.pop()
        self._append("\n")

    def _end_paragraph(self) -> None:
        if self._state.in_grid:
            self._append(" ")
            return
        runs, self._runs = self._runs, []
        if self._state.is_pre:
            text = "".join(run.text for run in runs).expandtabs(4).strip("\n").rstrip()
            if text.strip():
                self._add(Code(text=text))
            return
        found = tidied(runs)
        if found:
            level = self._state.heading
            self._add(Heading(level=level, runs=found) if level else Paragraph(runs=found))
