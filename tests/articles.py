"""Articles whose words are known: as HTML, Markdown, plain text and Word documents, made by hypothesis."""

from __future__ import annotations

import html
import string
import zipfile
from dataclasses import dataclass
from io import BytesIO

from hypothesis import strategies as st

# Words that are traps for Markdown, expressions, fences, comments and fields.
TRAPS = (
    *("{{", "}}", "{{name}}", "{%", "%}", ":::", "::::", "text:", "by:", "*a*", "**", "*", "_b_", "__", "a_b", "_"),
    *(
        "<b>",
        "</p>",
        "<!--",
        "-->",
        "<!-->",
        "<a@b.example>",
        "<https://a.example>",
        "`",
        "``x``",
        "```",
        "~~~",
        "~~x~~",
    ),
    *(
        "#",
        "##",
        "###x",
        "1.",
        "12)",
        "0.",
        "-",
        "--",
        "---",
        "+",
        "+1",
        "=",
        "==",
        "==m==",
        "===",
        "&amp;",
        "&#60;",
        "&",
    ),
    *(
        "\\",
        "\\*",
        "\\\\",
        "[x](y)",
        "[x]",
        "![x](y)",
        "!",
        "[^1]",
        "[^1]:",
        "[x]:",
        ">",
        ">>",
        "|",
        "a|b",
        '"',
        "'",
        "“",
        "”",
    ),
    *(
        "62%",
        "$1",
        "zq0123456789abcdefH0Hqz",
        "é",
        "שלום",
        "👍🏽",
        "क्षि",
        "a\u200db",
        "x²",
        "·",
        "—",
        "\u2013 a",
        "…",
        "![",
    ),
)
word = st.one_of(
    st.text(string.ascii_letters, min_size=1, max_size=8),
    st.sampled_from(TRAPS),
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=4),
)
words = st.lists(word, min_size=1, max_size=6).map(" ".join)
LINKS = (
    "https://a.example/b_c?d=*e*&amp=1#f",
    "mailto:ada@example.org",
    "http://a.example/(x)",
    "javascript:alert(1)",
    "/here",
)


@dataclass(frozen=True)
class Bit:
    """Some words in one setting: "", "strong", "em", "code", or a link's address."""

    text: str
    style: str = ""
    glued: bool = False  # no blank before it


@dataclass(frozen=True)
class Piece:
    """A part of an article: "h1" to "h3", "p", "quote", "ul", "ol" or "table", and its lines or entries."""

    kind: str
    lines: tuple[tuple[Bit, ...], ...]


bit = st.builds(
    Bit, text=words, style=st.sampled_from(("", "", "strong", "em", "code", "both", *LINKS)), glued=st.booleans()
)
line = st.lists(bit, min_size=1, max_size=4).map(tuple)
piece = st.one_of(
    st.builds(Piece, kind=st.sampled_from(("h1", "h2", "h3", "p", "p", "quote")), lines=line.map(lambda one: (one,))),
    st.builds(Piece, kind=st.sampled_from(("ul", "ol")), lines=st.lists(line, min_size=1, max_size=3).map(tuple)),
)
pieces = st.lists(piece, min_size=1, max_size=6)


TAGS = (
    *("p", "div", "h1", "h2", "h3", "ul", "ol", "li", "li", "blockquote", "pre", "table", "tr", "td", "th", "section"),
    *("b", "strong", "em", "code", "sup", "del", "span", "a href=https://a.example", "a href=javascript:x", "dl", "dt"),
)
tree = st.recursive(
    st.one_of(words, st.sampled_from(("<br>", "<hr>"))).map(lambda leaf: (leaf,)),
    lambda inner: st.tuples(st.sampled_from(TAGS), st.lists(inner, min_size=1, max_size=4)),
    max_leaves=25,
)


def tree_as_html(tree) -> str:
    """Tags within tags, whether or not a page could have them so."""
    if len(tree) == 1:
        return tree[0] if tree[0] in ("<br>", "<hr>") else html.escape(tree[0])
    return f"<{tree[0]}>" + "".join(map(tree_as_html, tree[1])) + f"</{tree[0].split()[0]}>"


def tree_says(tree) -> str:
    """The text of a tree."""
    if len(tree) == 1:
        return "" if tree[0] in ("<br>", "<hr>") else tree[0]
    return "".join(map(tree_says, tree[1]))


def said(pieces: list[Piece]) -> list[str]:
    """The words of *pieces*."""
    return "\n".join(_bits(one) for piece in pieces for one in piece.lines).split()


def _bits(line: tuple[Bit, ...]) -> str:
    return "".join(("" if bit.glued else " ") + bit.text for bit in line)


def as_html(pieces: list[Piece]) -> str:
    """*pieces* as a page."""
    return "<!doctype html><html><head><title>not shown</title></head><body>" + "\n".join(map(_tagged, pieces))


def _tagged(piece: Piece) -> str:
    lines = ["".join(("" if bit.glued else " ") + _tagged_bit(bit) for bit in one) for one in piece.lines]
    match piece.kind:
        case "ul" | "ol":
            return f"<{piece.kind}>" + "".join(f"<li>{line}" for line in lines) + f"</{piece.kind}>"
        case "quote":
            return f"<blockquote>{lines[0]}</blockquote>"
        case kind:
            return f"<{kind}>{lines[0]}</{kind}>"


def _tagged_bit(bit: Bit) -> str:
    text = html.escape(bit.text)
    match bit.style:
        case "":
            return text
        case "both":
            return f"<strong><em>{text}</em></strong>"
        case "strong" | "em" | "code":
            return f"<{bit.style}>{text}</{bit.style}>"
        case link:
            return f'<a href="{html.escape(link)}">{text}</a>'


def as_markdown(pieces: list[Piece]) -> str:
    """*pieces* as Markdown, with every sign escaped that could be one; without code, which has no escapes."""
    return "\n\n".join(map(_marked, pieces)) + "\n"


def _marked(piece: Piece) -> str:
    lines = [" ".join(_marked_bit(bit) for bit in one) for one in piece.lines]
    match piece.kind:
        case "ul":
            return "\n".join(f"- {line}" for line in lines)
        case "ol":
            return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1))
        case "quote":
            return f"> {lines[0]}"
        case "p":
            return lines[0]
        case kind:
            return "#" * int(kind[1]) + f" {lines[0]}"


def _marked_bit(bit: Bit) -> str:
    text = "".join(f"\\{sign}" if sign in string.punctuation else sign for sign in bit.text)
    link = bit.style if bit.style in LINKS else ""
    return f"[{text}](<{link}>)" if link else text


def spaced(pieces: list[Piece]) -> list[Piece]:
    """*pieces* with a blank before every bit, as Markdown and plain text need it."""
    return [
        Piece(piece.kind, tuple(tuple(Bit(bit.text, bit.style) for bit in one) for one in piece.lines))
        for piece in pieces
    ]


_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_STYLES = {"title": "Title", "h1": "Heading1", "h2": "Heading2", "h3": "Heading3", "quote": "Quote"}


def as_docx(pieces: list[Piece], *, more: str = "", members: dict[str, bytes] | None = None) -> bytes:
    """*pieces* as a Word document, *more* paragraphs in its own XML, and other *members* of the archive."""
    links: list[str] = []
    body = "".join(_paragraphs(piece, links) for piece in pieces) + more
    relations = "".join(
        f'<Relationship Id="r{number}" Type="{_LINKS}/hyperlink" Target="{html.escape(link)}" TargetMode="External"/>'
        for number, link in enumerate(links)
    )
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{style}"><w:name w:val="{_style_name(style)}"/></w:style>'
        for style in _STYLES.values()
    )
    numbers = "".join(
        f'<w:abstractNum w:abstractNumId="{n}"><w:lvl w:ilvl="0"><w:numFmt w:val="{form}"/></w:lvl></w:abstractNum>'
        for n, form in enumerate(("bullet", "decimal"))
    ) + "".join(f'<w:num w:numId="{n + 1}"><w:abstractNumId w:val="{n}"/></w:num>' for n in range(2))
    files = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="a" '
        f'Type="{_LINKS}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{relations}</Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{_WORD}" xmlns:r="{_LINKS}"><w:body>{body}</w:body></w:document>',
        "word/styles.xml": f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>',
        "word/numbering.xml": f'<w:numbering xmlns:w="{_WORD}">{numbers}</w:numbering>',
    }
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**{name: text.encode() for name, text in files.items()}, **(members or {})}.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _style_name(style: str) -> str:
    return f"heading {style[-1]}" if style.startswith("Heading") else style


def _paragraphs(piece: Piece, links: list[str]) -> str:
    style = f'<w:pStyle w:val="{_STYLES[piece.kind]}"/>' if piece.kind in _STYLES else ""
    if piece.kind in ("ul", "ol"):
        number = 1 if piece.kind == "ul" else 2
        style = f'<w:numPr><w:ilvl w:val="0"/><w:numId w:val="{number}"/></w:numPr>'
    return "".join(
        f"<w:p><w:pPr>{style}</w:pPr>" + "".join(_run(bit, links) for bit in one) + "</w:p>" for one in piece.lines
    )


def _run(bit: Bit, links: list[str]) -> str:
    looks = {"strong": "<w:b/>", "em": "<w:i/>", "both": "<w:b/><w:i/>"}.get(bit.style, "")
    text = ("" if bit.glued else " ") + bit.text
    run = f'<w:r><w:rPr>{looks}</w:rPr><w:t xml:space="preserve">{html.escape(text)}</w:t></w:r>'
    if bit.style in ("", "strong", "em", "code", "both"):
        return run
    links.append(bit.style)
    return f'<w:hyperlink r:id="r{len(links) - 1}">{run}</w:hyperlink>'
