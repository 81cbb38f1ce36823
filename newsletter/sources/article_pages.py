"""HTML and Markdown as events. Of markup nothing is believed but the names of its tags and a few attributes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

from lxml import etree
from markdown_it import MarkdownIt
from markdown_it.rules_block import reference

from newsletter.errors import NewsletterError
from newsletter.sources.article_given import MAX_TEXT, Event, too_long

if TYPE_CHECKING:
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token

DEEPEST = 90  # levels of Markdown's quotations and lists, beyond which its reader leaves text out
MAX_TAGS = 50_000
_NO_WORDS = frozenset({"script", "style", "noscript", "template", "head", "math", "svg", "textarea", "select"})
_IN_LAYOUT = ("h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre", "hr")
_ROWS = frozenset({"table", "tbody", "thead", "tfoot", "tr", "td", "th", "colgroup", "col"})
_WANTED = ("href", "src", "alt", "start")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f]")

# Tags of HTML that writers of Markdown use; any other word between angles is a word.
_KNOWN = frozenset(
    re.findall(
        r"\w+",
        "a abbr address article aside audio b bdi bdo blockquote br caption center cite code col colgroup dd del "
        "details dfn div dl dt em embed figcaption figure font footer form h1 "
        "h2 h3 h4 h5 h6 header hr i iframe img ins kbd li "
        "main mark nav noscript object ol p picture pre q s samp script section small source span strike strong "
        "style sub summary sup svg table tbody td tfoot th thead tr tt u ul var video",
    )
)
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_KEY = re.compile(r"(?m)^title[ \t]*:[ \t]*(.+?)[ \t]*$")
_FOOTNOTE = re.compile(r"\[\^([^\]\s]{1,40})\]: *")


def read_page(text: str, *, at: str, is_word: bool = False) -> tuple[str, list[Event], tuple[str, ...]]:
    """The title of a page, its events, and notes. With *is_word*, it is what mammoth made of a document."""
    # Bytes, since a page may say of itself that it has another encoding, which was true before it was read.
    source = _CONTROLS.sub(" ", text).encode("utf-8", "replace")
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True, recover=True)
    try:
        root = etree.fromstring(source, parser)
    except etree.XMLSyntaxError as err:
        raise NewsletterError("there is no text in it", at=at, hint="is it the right file?") from err
    if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log) or _has_too_many(root):
        hint = "copy its text into a .txt file"
        raise NewsletterError("more tags, or deeper within each other, than any article has", at=at, hint=hint)
    title = root.findtext("head/title") or ""
    events, length = [], 0
    for event in _events(root, is_word=is_word):
        length += len(event[1].strip()) if event[0] == "text" else 0
        if length > MAX_TEXT:
            raise too_long(at)
        events.append(event)
    comments = sum(1 for each in root.iter(etree.Comment) if (each.text or "").strip())
    notes = (f"left out: {comments} hidden comment{'s' * (comments > 1)} of the page",) if comments else ()
    return title, events, notes


def _has_too_many(root: Any) -> bool:  # noqa: ANN401 - an element of lxml
    return next(islice(root.iter(), MAX_TAGS, None), None) is not None


def _events(root: Any, *, is_word: bool) -> Iterator[Event]:  # noqa: ANN401 - an element of lxml
    """What happens in *root*, without going down into itself: some pages are thousands of tags deep."""
    walk = etree.iterwalk(root, events=("start", "end"))
    names: dict[Any, str] = {}  # what the open tables and their rows are called
    for step, element in walk:
        tag = element.tag.lower() if isinstance(element.tag, str) else ""
        is_left_out = not tag or tag in _NO_WORDS or (is_word and _is_way_back(element))
        if step == "end":
            if not is_left_out:
                yield "close", names.pop(element, tag), {}
            if element.tail:
                yield "text", element.tail, {}
            continue
        if is_left_out:
            walk.skip_subtree()
            continue
        if tag in _ROWS:
            names[element] = tag = _in_table(tag, element, names)
        if is_word and tag == "ol" and _are_notes(element):
            yield "open", "hr", {}
            yield "close", "hr", {}
        yield "open", tag, {name: value for name, value in element.items() if name in _WANTED}
        if element.text:
            yield "text", element.text, {}


def _in_table(tag: str, element: Any, names: Mapping[Any, str]) -> str:  # noqa: ANN401
    """What *tag* is called: "grid" for a table of data; a table that only places things, and all in it, are divs."""
    if tag != "table":
        table = next(element.iterancestors("table"), None)
        return tag if names.get(table) == "grid" else "div"
    is_layout = any(next(element.iterdescendants(name), None) is not None for name in _IN_LAYOUT)
    if is_layout:
        return "div"
    has_columns = any(len(row.findall("td")) + len(row.findall("th")) > 1 for row in element.iterdescendants("tr"))
    return "grid" if has_columns else "div"


def _is_way_back(element: Any) -> bool:  # noqa: ANN401
    """Whether *element* is the arrow that mammoth puts after a footnote."""
    return element.tag == "a" and bool(re.match(r"#(?:footnote|endnote)-ref-", element.get("href") or ""))


def _are_notes(element: Any) -> bool:  # noqa: ANN401
    first = element.find("li")
    return first is not None and bool(re.match(r"(?:footnote|endnote)-", first.get("id") or ""))


class _Reader(MarkdownIt):
    """Markdown as it was typed: no address is changed, and whether a link is good is decided elsewhere."""

    def validateLink(self, url: str) -> bool:  # noqa: N802, ARG002
        return True

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        return url

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        return link


def read_markdown(text: str, *, at: str) -> tuple[str, list[Event], tuple[str, ...]]:
    """As `read_page`, of Markdown with tables, footnotes and struck words."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    notes: tuple[str, ...] = ()
    title = ""
    if head := _FRONT_MATTER.match(text):
        named = _KEY.search(head[1])
        title = named[1].strip("\"'") if named else ""
        notes = ("left out, the head of the file: " + " · ".join(head[1].split("\n")).strip(" ·"),)
        text = text[head.end() :]
    reader = _Reader("commonmark", {"html": True, "maxNesting": DEEPEST + 10}).enable(["table", "strikethrough"])
    reader.block.ruler.at("reference", _reference)
    # Before signs that were escaped become like all others.
    reader.core.ruler.before("text_join", "footnotes", lambda state: _number_footnotes(state.tokens))
    tokens = reader.parse(text)
    if any(token.level >= DEEPEST for token in tokens):
        hint = "were many > pasted at the beginnings of its lines?"
        raise NewsletterError("quotations or lists too deep within each other", at=at, hint=hint)
    _keep_words(tokens)
    _, events, said = read_page(f"<html><body>{reader.renderer.render(tokens, reader.options, {})}", at=at)
    return title, events, (*notes, *said)


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001 - markdown-it's own
    """The rule for `[name]: address`; a footnote of one word would be one."""
    is_footnote = state.src.startswith("[^", state.bMarks[start] + state.tShift[start])
    return not is_footnote and reference(state, start, end, silent)


def _number_footnotes(tokens: Sequence[Token]) -> None:
    """Write `[^1]` as [1], where there is such a footnote, and let each footnote begin a line."""
    lines = [token.children for token in tokens if token.type == "inline" and token.children]
    notes = set()
    for children in lines:
        for before, child in zip([None, *children], children, strict=False):
            is_start = before is None or before.type in ("softbreak", "hardbreak")
            if is_start and child.type == "text" and (found := _FOOTNOTE.match(child.content)):
                notes.add(found[1])
                child.content = f"[{found[1]}] {child.content[found.end() :]}"
                if before:
                    before.type, before.tag = "hardbreak", "br"
    for child in (child for children in lines for child in children if notes and child.type == "text"):
        child.content = re.sub(
            r"\[\^([^\]\s]{1,40})\]", lambda found: f"[{found[1]}]" if found[1] in notes else found[0], child.content
        )


def _keep_words(tokens: Sequence[Token]) -> None:
    """Make words of what only looks like tags."""
    for token in tokens:
        _keep_words(token.children or [])
        if token.type in ("html_inline", "html_block"):
            found = re.match(r"\s*</?([A-Za-z][A-Za-z0-9-]*)|\s*<!--", token.content)
            if not found or (found[1] and found[1].lower() not in _KNOWN):
                shown = escape(token.content, quote=False)
                token.content = f"<p>{shown}</p>\n" if token.type == "html_block" else shown
