"""One section of an article, and the rules by which it is a certain block of a letter."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from newsletter.content.article import Heading, Listing, Paragraph, Part, Run, Runs, plain, tidied
from newsletter.content.article_markdown import escape, inline

LONGEST_HEADING = 200  # characters; what is longer, or a link, stays in the text
LONGEST_COMMITMENT = 250
LONGEST_TO_PASS_ON = 300

# What headings are called that name a block, in lower case and without signs.
_NAMES = {
    "action": r"do(ing)? the work|take action|act( now)?|this week|my commitment|"
    r"((your|our|this week['\u2019]s) )?(action|commitment)",
    "spread-the-word": r"spread the word|pass (it|this|this letter) on|"
    r"share( (this|it)( (letter|article|post|message))?)?( with (a friend|friends|others|someone))?",
    "keep-going": r"(if you )?(want to )?keep (on )?going",
    "resources": r"((more|further|helpful|useful) )?resources|read (more|on)|(further|more) reading|reading list|links",
}
_COMMITS = re.compile(r"\b(?:I|we)(?: will| commit| promise| pledge| am going to|['\u2019]ll)\b", re.IGNORECASE)
_SENTENCE = re.compile("[.!?…]+[\"'”\u2019»)]*(?=\\s|$)")
_FIGURE = re.compile(r"[<>~≈+\u2212-]?\s?\d[\d.,]*\s?(?:%|‰|\xd7|percent\b|per cent\b)?")
_SOURCE = re.compile(r"Source:\s+")
_WHAT_IS = re.compile(r"what (?:is|are) (?:an? |the )?(?P<term>[^?!.:,;]{2,60})\??", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading, if there is one, and what stands under it."""

    heading: Runs = ()
    parts: tuple[Part, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The kind of block that the heading names; "" for most."""
        words = re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)*", plain(self.heading).casefold())
        text = " ".join(words[1:] if words and words[0].isdigit() else words)
        return next((kind for kind, names in _NAMES.items() if re.fullmatch(names, text)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A block that is to be. Attributes and fields are as they stand in a letter, but for their quotes."""

    kind: str
    attributes: tuple[tuple[str, str], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()


def portion(section: Section, *, before: Sequence[Found]) -> list[Found]:
    """The blocks that *section* becomes, mostly one; *before* are those that the letter has already."""
    blocks: list[Found] = []
    for piece in _pieces(section):
        blocks.append(_block(piece, [*before, *blocks]))
    return [replace(blocks[0], notes=(*section.remarks, *blocks[0].notes)), *blocks[1:]]


def _pieces(section: Section) -> list[Section]:
    """*section*, or where no heading holds it together, its list with the text before and after it."""
    lists = [n for n, part in enumerate(section.parts) if isinstance(part, Listing)]
    if section.heading or len(lists) != 1:
        return [section]
    parts, start = section.parts, lists[0]
    listed = next((end for end in (start + 2, start + 1) if _certain(Section(parts=parts[start:end]))), 0)
    if not listed:
        return [section]
    return [Section(parts=each) for each in (parts[:start], parts[start:listed], parts[listed:]) if each]


def _certain(section: Section) -> Found | None:
    """The block that *section* is by what stands in it, whatever its heading."""
    return _definition(section) or _stats(section) or _entries(section)


def _block(section: Section, before: Sequence[Found]) -> Found:
    if not section.parts:
        heading = (Heading(level=2, runs=section.heading),)
        return Found(kind="text", parts=heading)
    doubts = []
    if kind := section.name:
        found = _named(kind, section, before)
        if isinstance(found, Found):
            return found
        doubts.append(f"{_shown(section)} reads like {kind!r}, but {found}; it stays text")
    elif certain := _certain(section):
        return certain
    if any(isinstance(part, Listing) and _are_figures(part) for part in section.parts):
        doubts.append("a list of figures: 'stats' shows such, if the line after it says 'Source: …'")
    if kind != "action" and any(isinstance(part, Paragraph) and _promises(part) for part in section.parts):
        doubts.append("somebody commits to something here: should it be an 'action'?")
    return replace(_running(section, before), notes=tuple(doubts))


def _running(section: Section, before: Sequence[Found]) -> Found:
    """Running text: the first there is, is the letter's reflection."""
    is_first = isinstance(section.parts[0], Paragraph) and all(found.kind != "reflection" for found in before)
    kind = "reflection" if is_first and not section.name else "text"
    title = _title(section)
    heading = () if title or not section.heading else (Heading(level=2, runs=section.heading),)
    return Found(kind=kind, attributes=title, parts=(*heading, *section.parts))


def _title(section: Section) -> tuple[tuple[str, str], ...]:
    words = plain(section.heading)
    is_plain = words and len(words) <= LONGEST_HEADING and not any(run.link for run in section.heading)
    return (("title", escape(words)),) if is_plain else ()


def _shown(section: Section) -> str:
    return f"“{plain(section.heading)[:60]}”"


def _named(kind: str, section: Section, before: Sequence[Found]) -> Found | str:
    """The block of *kind* that the heading of *section* promises, or why it is none."""
    if not _title(section):
        return "its heading is a link"
    if kind in ("action", "spread-the-word") and any(found.kind == kind for found in before):
        return "a letter has one, and there is one above"
    rules: dict[str, Callable[[Section], Found | str]] = {
        "action": _action,
        "spread-the-word": _spread,
        "keep-going": _keep_going,
        "resources": _resources,
    }
    return rules[kind](section)


def _action(section: Section) -> Found | str:
    first = section.parts[0]
    if not isinstance(first, Paragraph):
        return "it does not begin with a sentence to commit to"
    if len(plain(first.runs)) > LONGEST_COMMITMENT:
        return f"its first paragraph, which would be the commitment, has more than {LONGEST_COMMITMENT} characters"
    if not _promises(first) and "week" in plain(section.heading).casefold():
        return "nobody commits to anything in its first paragraph"
    notes = (
        () if _promises(first) else ("the first paragraph is the commitment: begin it with “This week, I commit to”",)
    )
    return Found(kind="action", attributes=_title(section), parts=section.parts, notes=notes)


def _promises(paragraph: Paragraph) -> bool:
    return bool(_COMMITS.search(plain(paragraph.runs)[:LONGEST_COMMITMENT]))


def _spread(section: Section) -> Found | str:
    first, rest = section.parts[0], section.parts[1:]
    if not isinstance(first, Paragraph):
        return "it does not begin with a sentence to pass on"
    words = "".join(run.text for run in first.runs)
    end = found.end() if (found := _SENTENCE.search(words)) else len(words)
    sentence, left = cut(first.runs, end)
    if any(run.link or run.code for run in sentence):
        return "its first sentence holds a link or code, and what is passed on is words only"
    if len(words[:end]) > LONGEST_TO_PASS_ON:
        return f"its first sentence has more than {LONGEST_TO_PASS_ON} characters"
    text = inline([Run(text=plain(sentence))])
    body = (Paragraph(runs=left), *rest) if left else rest
    return Found(kind="spread-the-word", attributes=_title(section), fields=(("text", text),), parts=body)


def _keep_going(section: Section) -> Found:
    note = "say where and when: keep-going takes url, date and label"
    return Found(kind="keep-going", attributes=_title(section), parts=section.parts, notes=(note,))


def _resources(section: Section) -> Found | str:
    lists = [part for part in section.parts if isinstance(part, Listing)]
    if len(lists) != 1 or (lists[0].ordered and lists[0].start != 1):
        return "it has no list of its own, or several"
    for item in lists[0].items:
        if not isinstance(item[0], Paragraph) or not item[0].runs[0].link:
            return "not every entry of its list begins with a link"
    return Found(kind="resources", attributes=_title(section), parts=section.parts)


def _definition(section: Section) -> Found | None:
    """What answers a heading "What is …?" with a sentence that begins with the same words."""
    words = plain(section.heading)
    asked = _WHAT_IS.fullmatch(words)
    first = section.parts[0]
    if not asked or not isinstance(first, Paragraph) or _is_expression(words) or not _title(section):
        return None
    term = re.escape(asked["term"].strip())
    if not re.match(rf"(?:an? |the )?{term} (?:is|are|means?)\b", plain(first.runs), re.IGNORECASE):
        return None
    lists = [part for part in section.parts if isinstance(part, Listing)]
    if len(section.parts) > 2 + len(lists) or len(lists) > 1:
        return None
    note = f"the term is the whole heading, so that no word is lost: shorten it to {asked['term'].strip()!r}?"
    return Found(kind="definition", attributes=(("term", words),), parts=section.parts, notes=(note,))


def _stats(section: Section) -> Found | None:
    """Figures in a list, and right below it their source, as the end of the section."""
    if len(section.parts) < 2 or (section.heading and not _title(section)):
        return None
    *before, listing, last = section.parts
    if not isinstance(listing, Listing) or not _are_figures(listing) or not isinstance(last, Paragraph):
        return None
    named = _SOURCE.match("".join(run.text for run in last.runs))
    source = cut(last.runs, named.end())[1] if named else ()
    links = {run.link for run in source if run.link}
    words = plain(source)
    is_one = len(words) <= LONGEST_HEADING and not _is_expression(words) and "\n" not in "".join(r.text for r in source)
    if not words or not is_one or len(links) > 1 or not all(is_address(link) for link in links):
        return None
    if any(isinstance(part, Listing) for part in before):
        return None
    figures = replace(listing, items=tuple(_with_figure(item) for item in listing.items))
    attributes = (*_title(section), ("source", words), *(("source_url", link) for link in links))
    return Found(kind="stats", attributes=attributes, parts=(*before, figures))


def _are_figures(listing: Listing) -> bool:
    firsts = [plain(item[0].runs) if isinstance(item[0], Paragraph) else "" for item in listing.items]
    found = [_FIGURE.match(text) for text in firsts]
    return len(firsts) > 1 and all(found) and any(match and match[0][-1] in "%‰t" for match in found)


def _with_figure(item: tuple[Part, ...]) -> tuple[Part, ...]:
    """An entry with its figure in bold, by which a letter knows it."""
    first = item[0]
    if not isinstance(first, Paragraph) or first.runs[0].strong or first.runs[0].link:
        return item
    run, *rest = first.runs
    at = len(found[0].rstrip()) if (found := _FIGURE.match(run.text)) else 0
    figure = (replace(run, text=run.text[:at], strong=True), replace(run, text=run.text[at:]))
    return (Paragraph(runs=(*(each for each in figure if each.text), *rest)), *item[1:])


def _entries(section: Section) -> Found | None:
    """A list whose every entry has a bold beginning: in order it is steps, else points."""
    lists = [part for part in section.parts if isinstance(part, Listing)]
    if len(lists) != 1 or not all(isinstance(part, Listing | Paragraph) for part in section.parts):
        return None
    if bool(section.heading) != bool(_title(section)) or not (section.heading or len(section.parts) == 1):
        return None
    listing = lists[0]
    leads = [item[0].runs[0] if isinstance(item[0], Paragraph) else Run(text="") for item in listing.items]
    if len(leads) < 2 or not all(run.strong for run in leads) or (listing.ordered and listing.start != 1):
        return None
    kind = "steps" if listing.ordered else "points"
    return Found(kind=kind, attributes=_title(section), parts=section.parts)


def cut(runs: Runs, at: int) -> tuple[Runs, Runs]:
    """*runs* before and after their character *at*, without the blanks there."""
    before, after = [], []
    for run in runs:
        before.append(replace(run, text=run.text[:at]))
        after.append(replace(run, text=run.text[at:]))
        at = max(0, at - len(run.text))
    return tidied(before), tidied(after)


def is_address(link: str) -> bool:
    """Whether an attribute of a block takes *link* as it is."""
    return link.startswith("https://") and len(link) <= 1000 and not re.search(r"[\s{}\"\\]", link)


def _is_expression(text: str) -> bool:
    """Whether *text*, in an attribute that is no Markdown, would be one: there is no way to say that it is none."""
    return "{{" in text or "{%" in text
