"""An article's parts as Markdown of a letter, in which every sign means itself and no word is an instruction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from newsletter.content.article import Code, Heading, Listing, Paragraph, Part, Quotation, Rule, Run

# What Markdown, its marker ==, expressions, fences and comments could take for theirs, anywhere in a line …
_ANYWHERE = re.compile(
    r"[\\`*\[]|<(?!\s)|(?<=<)!|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])"
    r"|=(?==)|(?<==)=|\{(?=[{%])|(?<=\{)[{%]|:(?=::)|(?<=:):(?=:)|(?<=::):"
)
# … and at its beginning only.
_AT_START = re.compile(r"(\d{1,9}(?=[.)](?:\s|$)))|>|#{1,6}(?=\s|$)|[-+](?=\s|$)|-(?=-)|=+(?=\s*$)|~(?=~~)")
# No code can hold these: expressions are found before Markdown is, and comments in a list's code too.
_NOT_IN_CODE = re.compile(r"\{\{|\{%|<!--")
_IN_ADDRESS = re.compile(r"[\s<>()\[\]{}|\\^`\"]")
_ENDS = re.compile(r"[\s!-)+-/:-@\[-`{-~]")  # a blank, or a sign that is no asterisk


def markdown(parts: Iterable[Part], *, between: str = "\n\n") -> str:
    """*parts* as the body of a block."""
    blocks: list[str] = []
    before: Part | None = None
    is_second = False  # two lists in a row would become one, if they had the same signs
    for part in parts:
        is_second = _are_alike(part, before) and not is_second
        blocks.append(_block(part, is_second=is_second))
        before = part
    return between.join(block for block in blocks if block)


def _are_alike(part: Part, before: Part | None) -> bool:
    """Whether the two are lists with the same signs."""
    return isinstance(part, Listing) and isinstance(before, Listing) and part.ordered == before.ordered


def _block(part: Part, *, is_second: bool) -> str:
    match part:
        case Heading(level=level, runs=runs):
            words = inline(_on_one_line(runs))
            return "#" * min(max(level, 2), 6) + " " + re.sub(r"(?<!\\)#(?=#*$)", r"\\#", words)
        case Paragraph(runs=runs):
            return inline(runs)
        case Code(text=text):
            return _code_block(text)
        case Quotation(parts=inner):
            return "\n".join(f"> {line}".rstrip() for line in markdown(inner).split("\n"))
        case Listing():
            return _listing(part, is_second=is_second)
        case _:
            return "***" if isinstance(part, Rule) else ""


def _listing(listing: Listing, *, is_second: bool) -> str:
    is_tight = all(_is_close(part) for item in listing.items for part in item[1:])
    between = "\n" if is_tight else "\n\n"
    items = []
    for number, item in enumerate(listing.items, start=listing.start):
        sign = f"{number}{')' if is_second else '.'} " if listing.ordered else ("* " if is_second else "- ")
        body = markdown(item, between=between)
        items.append(sign + body.replace("\n", "\n" + " " * len(sign)))
    return re.sub(r"(?m)^ +$", "", between.join(items))


def _is_close(part: Part) -> bool:
    """Whether *part* of an entry can stand right below a paragraph: a list that does not begin with 1 cannot."""
    return isinstance(part, Listing) and (part.start == 1 or not part.ordered)


def _code_block(text: str) -> str:
    if _NOT_IN_CODE.search(text):
        lines = [" ".join(line.split()) for line in text.split("\n")]
        return inline([Run(text="\n".join(line for line in lines if line))])
    fence = "`" * max(3, 1 + max((len(found) for found in re.findall(r"`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def inline(runs: Iterable[Run]) -> str:
    """*runs* as Markdown that begins a line."""
    lines = _styled(_links_alike(list(runs))).split("\n")
    return "\\\n".join(
        _AT_START.sub(_escaped_start, line, count=1) if _AT_START.match(line) else line for line in lines
    )


def escape(text: str) -> str:
    """*text* as Markdown that shows it letter for letter, and holds no expression."""
    return _ANYWHERE.sub(lambda found: f"\\{found[0]}", text)


def attribute(name: str, value: str) -> str:
    """An attribute of a block; *value* is on one line."""
    value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{value}"'


def _escaped_start(found: re.Match[str]) -> str:
    return f"{found[1]}\\" if found[1] else f"\\{found[0]}"


def _on_one_line(runs: Sequence[Run]) -> list[Run]:
    return [replace(run, text=run.text.replace("\n", " ")) for run in runs]


def _links_alike(runs: Sequence[Run]) -> list[Run]:
    """*runs* with every link set in one way: what is bold within a link only in part is not bold."""
    out: list[Run] = []
    for link, found in groupby(runs, key=lambda run: run.link):
        group = list(found)
        if link and len({(run.strong, run.emphasis) for run in group}) > 1:
            group = [replace(run, strong=False, emphasis=False) for run in group]
        out += group
    return out


def _styled(runs: Sequence[Run]) -> str:
    """*runs* with asterisks, where Markdown is sure to take them as meant; words that stand too close go without."""
    pieces: list[tuple[str, str]] = []  # asterisks, and what stands between them
    for (strong, emphasis), found in groupby(runs, key=lambda run: (run.strong, run.emphasis)):
        words = _linked(list(found))
        inner = words.strip()
        asterisks = "*" * (2 * strong + emphasis) if inner else ""
        if not asterisks:
            pieces.append(("", words))
            continue
        start = words.index(inner)
        pieces += [("", words[:start]), (asterisks, inner), ("", words[start + len(inner) :])]
    pieces = [piece for piece in pieces if piece[1]]
    out = ""
    for index, (asterisks, words) in enumerate(pieces):
        after = next(("*" if stars else text[0] for stars, text in pieces[index + 1 :]), " ")
        if asterisks and _opens(out[-1:] or " ", words[0]) and _closes(words[-1], after):
            out += f"{asterisks}{words}{asterisks}"
        else:
            out = _beside(out, words)
    return out


def _opens(before: str, first: str) -> bool:
    """Whether asterisks between the two begin something."""
    return before != "*" and (first.isalnum() or bool(_ENDS.fullmatch(before)))


def _closes(last: str, after: str) -> bool:
    return after != "*" and (last.isalnum() or bool(_ENDS.fullmatch(after)))


def _linked(runs: Sequence[Run]) -> str:
    out = ""
    for link, found in groupby(runs, key=lambda run: run.link):
        words = "".join(_worded(run, is_linked=bool(link)) for run in found)
        inner = words.strip()
        if link and inner:
            start = words.index(inner)
            words = f"{words[:start]}[{inner}]({_destination(link)}){words[start + len(inner) :]}"
        out = _beside(out, words)
    return out


def _beside(before: str, words: str) -> str:
    """*before* and *words*; a ! before a link would make a picture of it."""
    is_bare = before.endswith("!") and (len(before) - len(before[:-1].rstrip("\\"))) % 2
    return f"{before[:-1]}\\!{words}" if is_bare and words.startswith("[") else before + words


def _worded(run: Run, *, is_linked: bool) -> str:
    if run.code and not _NOT_IN_CODE.search(run.text) and run.text.strip():
        return _code_span(run.text.replace("\n", " "))
    words = escape(run.text)
    return words.replace("]", "\\]") if is_linked else words


def _code_span(text: str) -> str:
    inner = text.strip()
    start = text.index(inner)
    ticks = "`" * (1 + max((len(found) for found in re.findall(r"`+", inner)), default=0))
    pad = " " if "`" in (inner[0], inner[-1]) else ""
    return f"{text[:start]}{ticks}{pad}{inner}{pad}{ticks}{text[start + len(inner) :]}"


def _destination(link: str) -> str:
    """A link as Markdown takes it: without what could end it early, and no entity."""
    quoted = _IN_ADDRESS.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), link)
    return re.sub(r"&(?=#?\w+;)", "&amp;", quoted)
