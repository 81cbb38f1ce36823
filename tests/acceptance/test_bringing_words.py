"""Whatever an article says, and in whichever form it comes, its draft says the same words in the same order."""

from __future__ import annotations

import html
import re
from datetime import date, time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from newsletter.content.article import Article
from newsletter.content.article_events import article_of
from newsletter.content.article_lines import article_of_lines
from newsletter.content.draft import head
from newsletter.content.issue import Block
from newsletter.content.parse import Defaults, parse
from newsletter.content.recognising import blocks_text, recognised
from newsletter.rendering.markdown import Html, inline_tokens, tokens_of
from newsletter.sources.articles import read_article
from tests import articles
from tests.articles import Bit, Piece

DAY = date(2026, 11, 30)
DEFAULTS = Defaults(at=time(8), audience="everyone", language="en")
often = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("articles")


def drafted(file: Path) -> list[str]:
    """The words of the draft that the article in *file* becomes, as they are shown."""
    read = read_article(file)
    return shown(article_of_lines(read.lines) if read.lines is not None else article_of(read.events))


def shown(article: Article) -> list[str]:
    found = recognised(article, name="article.md")
    text = head(found.title, day=DAY, at=time(8)) + blocks_text(found.blocks)
    letter, problems = parse(text, path="x.md", issue_id="2026-11-30-x", defaults=DEFAULTS)
    assert [problem.what for problem in problems] == ["'preheader' is missing"]
    assert "{{" not in text
    said = [] if found.is_copy else [letter.title]
    return plain_words([*said, *(words for block in letter.blocks for words in block_words(block))])


def block_words(block: Block) -> list[str]:
    """What readers see of *block*: its HTML without the tags."""
    source = ["Source:"] if "source" in block.attributes else []
    title = Html(top_heading=2).inline(inline_tokens(block.attributes.get("title", ""))[0].children or [])
    text = Html(top_heading=2).inline(inline_tokens(block.fields.get("text", ""))[0].children or [])
    body = Html(top_heading=2).blocks(tokens_of(block.body))
    raw = {name: html.escape(value) for name, value in block.attributes.items()}
    said = [
        title,
        raw.get("term", ""),
        text,
        body,
        raw.get("by", ""),
        raw.get("role", ""),
        *source,
        raw.get("source", ""),
    ]
    return [
        html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<(?=/?(?:p|li|h\d|ul|ol|br)\b)", "\n<", each))) for each in said
    ]


def plain_words(said: list[str]) -> list[str]:
    """Words, without the signs that become the name of a place: the dash and comma of "— Ada, organiser"."""
    return re.sub(r"--|[—\u2013―,]", " ", "\n".join(said)).split()


def written(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


# What hypothesis found once, and what is hard to find by chance.
HARD = (
    [Piece("p", ((Bit("a", "strong"), Bit('"b"', "strong", glued=True), Bit("c", "em", glued=True)),))],
    [Piece("p", ((Bit("a"), Bit('"b"', "strong", glued=True), Bit("c", glued=True)),))],
    [Piece("p", ((Bit("Look!"), Bit("here", articles.LINKS[0], glued=True)),))],
    [Piece("p", ((Bit("\\!"), Bit("here", articles.LINKS[0], glued=True)),))],
    [Piece("p", ((Bit("``", "code"), Bit("{{x}}", "code"), Bit("<!--", "code")),))],
    [Piece("p", ((Bit("<"), Bit("a", "strong", glued=True), Bit("@b.example>", glued=True)),))],
    [Piece("ul", ((Bit("a"),),)), Piece("ul", ((Bit("b"),),)), Piece("ul", ((Bit("c"),),))],
    [Piece("h1", ((Bit("{{ name }}"),),)), Piece("p", ((Bit("text: a"),),))],
    [Piece("h2", ((Bit("Share"),),)), Piece("p", ((Bit("text: {{a}} *b*. ::: c"),),))],
    [Piece("quote", ((Bit("a"),),)), Piece("p", ((Bit('— Ada \\ "E" <b>, organiser'),),))],
    [Piece("h2", ((Bit("Share"),),)), Piece("p", ((Bit("A one.", "strong"), Bit("Two", "em"), Bit("three")),))],
)


def also_hard(test):
    for pieces in HARD:
        test = example(pieces=pieces)(test)
    return test


@often
@given(pieces=articles.pieces)
@also_hard
def test_html(folder, pieces):
    assert drafted(written(folder, "a.html", articles.as_html(pieces))) == plain_words(articles.said(pieces))


@often
@given(tree=articles.tree)
@example(tree=("pre", [(":::\n{{x}}",)]))
@example(tree=("ul", [("li", [("pre", [("```\n:::\n~~~",)])])]))
@example(tree=("ul", [("li", [("a",), ("ol", [("li", [("b",), ("pre", [("<!-- c\n\nd",)]), ("e",)])])])]))
def test_tags_within_each_other(folder, tree):
    """Where words end is the page's affair here; which signs there are, is not."""
    text = articles.tree_says(tree)
    if not re.search(r"\w", text):
        return
    signs = re.compile(r"[|\s—\u2013―,-]")
    page = f"<p>before</p>{articles.tree_as_html(tree)}<p>after</p>"
    found = signs.sub("", "".join(drafted(written(folder, "a.html", page))))
    assert found == signs.sub("", f"before{text}after")


@often
@given(pieces=articles.pieces.map(articles.spaced))
@also_hard
def test_markdown(folder, pieces):
    pieces = articles.spaced(pieces)
    assert drafted(written(folder, "a.md", articles.as_markdown(pieces))) == plain_words(articles.said(pieces))


@often
@given(pieces=articles.pieces)
@also_hard
def test_word(folder, pieces):
    assert drafted(written(folder, "a.docx", articles.as_docx(pieces))) == plain_words(articles.said(pieces))


@often
@given(lines=st.lists(st.one_of(articles.words, st.just(""), st.just("    "), st.just("\t")), min_size=1))
@example(lines=["a" * 50, "{{ b", ":::", "text: c", "", "> d", ">> e"])
def test_plain_text(folder, lines):
    text = "\n".join(lines)
    if not re.search(r"\w", text):
        return
    if re.match(r"\s*<(?:!doctype\s+html|html)\b", text, re.IGNORECASE):
        return
    # Bullets, numbers and underlines at the beginnings of lines are no words; whichever are taken for such.
    signs = re.compile(r"^(?:[>*•‣◦·+=~_-]+|\d+[.)])+$")
    words = [word for word in plain_words([text]) if not signs.match(word)]
    assert [word for word in drafted(written(folder, "a.txt", text)) if not signs.match(word)] == words
