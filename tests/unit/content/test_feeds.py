"""Whatever a feed says, a letter shows its words as words, its links as links, and nothing else of it."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.content.feeds import Item, Rule, block, clip, first_sentence, items_of, pick, plain_text, safe_link
from newsletter.content.issue import Span
from newsletter.content.parse import parse
from newsletter.rendering.blocks import block_problems
from newsletter.rendering.holes import Marker
from newsletter.rendering.markdown import Text, inline_tokens, tokens_of
from tests.unit import letters

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BASE = "https://feeds.example.org/ally/feed.xml"


@dataclass(frozen=True, kw_only=True)
class Raw:
    """An entry as its feed wrote it."""

    id: str = ""
    link: str = "https://example.org/one"
    title: str = "One"
    summary: str = ""
    published: datetime | None = None
    first_seen: datetime | None = None
    tags: tuple[str, ...] = ()


def shown(*entries: Raw) -> list[Item]:
    return items_of(entries, base=BASE, now=NOW)


def item(name: str, *, hours: int = 1, tags: tuple[str, ...] = (), site: str = "example.org") -> Item:
    at = NOW - timedelta(hours=hours)
    return Item(link=f"https://{site}/{name}", title=name, sentence="", at=at, tags=tags)


# Words


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Plain", "Plain"),
        ("<p>One</p><p>two<br>three</p><ul><li>four", "One two three four"),
        ("a<b>b</b>c", "abc"),
        ("AT&amp;T &lt;3 caf&eacute;", "AT&T <3 café"),
        ("&amp;lt;script&amp;gt;", "&lt;script&gt;"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
        ("<script>alert(1)</script>Stays<style>p{}</style>", "Stays"),
        ("<svg><a xlink:href='javascript:alert(1)'>x</a></svg>Stays", "Stays"),
        ("<img src=x onerror=alert(1)>Stays", "Stays"),
        ("<!-- hidden -->Stays<!--", "Stays"),
        ("one\r\n\ttwo\x00three\u2028four", "one two three four"),
        ("\u202eevil\u202c\u2066x\u2069\u200b\ufeff\u00ad", "evilx"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\u3164\u200d\u2800", ""),
        ("half \ud800 a character", "half a character"),
        ("private \ue000 and \U000e0041tagged", "private and tagged"),
        ("<b" * 50, ""),
        ("", ""),
    ],
)
def test_html_becomes_words_on_one_line(source: str, words: str) -> None:
    assert plain_text(source) == words


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ""),
        ("A first sentence that is long enough to stand alone. A second.", None),
        ("Short. So the next one comes along with it here. A third.", None),
        ("No end in sight but short enough", "No end in sight but short enough"),
        ("word " * 100, f"{('word ' * 40).strip()}…"),
        ("x" * 300, f"{'x' * 199}…"),
    ],
)
def test_a_sentence_ends_where_it_ends_or_between_words(text: str, sentence: str | None) -> None:
    expected = text.rpartition(". ")[0] + "." if sentence is None else sentence
    assert first_sentence(text) == expected


def test_cutting_never_makes_longer() -> None:
    for most in range(2, 30):
        assert len(clip("some words, and (more) of them", most)) <= most


# Links


@pytest.mark.parametrize(
    ("link", "safe"),
    [
        ("https://example.org/one", "https://example.org/one"),
        ("http://example.org/one", "https://example.org/one"),
        ("HTTPS://Example.ORG", "https://example.org/"),
        ("https://example.org:443/x", "https://example.org/x"),
        ("https://example.org:8443/x", "https://example.org:8443/x"),
        ("two", "https://feeds.example.org/ally/two"),
        ("/two?a=b#c", "https://feeds.example.org/two?a=b#c"),
        ("//example.org/x", "https://example.org/x"),
        (" https://example.org/x \n", "https://example.org/x"),
        ("https://example.org/a b(c)'*[d]{{e}}<f>\"`|", "https://example.org/a%20b%28c%29%27%2A%5Bd%5D%7B%7Be%7D%7D%3Cf%3E%22%60%7C"),
        ("https://example.org/%7Eme?100%&x=%zz", "https://example.org/%7Eme?100%25&x=%25zz"),
        ("https://münchen.example/straße", "https://xn--mnchen-3ya.example/stra%C3%9Fe"),
    ],
)  # fmt: skip
def test_a_link_is_a_full_https_address(link: str, safe: str) -> None:
    assert safe_link(link, base=BASE) == safe


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\nscript:alert(1)",
        " \x01javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://example.org/",
        "mailto:somebody",
        "https://",
        "https:///x",
        "http://example.org:8080/",
        "https://bank.example@evil.example/",
        "https://user:secret@example.org/",
        "https://example.org\\@evil.example/",
        "https://127.0.0.1/",
        "https://127.1/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://[::1]/",
        "https://[bad/",
        "https://localhost/",
        "https://example.org:99999/",
        "https://exa\u202emple.org/",
        "https://example.org/\u202egnp.exe",
        "https://-bad.example/",
        "https://a..example/",
        "https://\ud800.example/",
        "https://example.org/" + "x" * 2000,
        "https://example.org/" + "é" * 900,
        "https://" + "é" * 400 + ".example/",
    ],
)
def test_what_is_no_such_address_is_no_link(link: str) -> None:
    assert safe_link(link, base=BASE) == ""


# Items


def test_an_item_has_a_title_a_link_and_a_sentence() -> None:
    (found,) = shown(Raw(title="<b>One</b>", summary="<p>Two words.</p>", published=NOW - timedelta(days=1)))
    assert (found.title, found.sentence, found.link) == ("One", "Two words.", "https://example.org/one")
    assert found.at == NOW - timedelta(days=1)
    assert found.source == "example.org"


def test_a_note_without_a_title_is_its_own() -> None:
    (found,) = shown(Raw(title="", summary="Only a note, and not a long one."))
    assert (found.title, found.sentence) == ("Only a note, and not a long one.", "")


def test_a_sentence_that_says_the_title_again_is_left_out() -> None:
    assert shown(Raw(title="The same", summary="The same."))[0].sentence == ""


@pytest.mark.parametrize("entry", [Raw(link="javascript:alert(1)"), Raw(title="<i></i>"), Raw(link="", id="urn:x")])
def test_an_entry_without_a_link_or_words_is_left_out(entry: Raw) -> None:
    assert shown(entry, Raw()) == shown(Raw())


def test_an_entry_is_there_once_by_its_id_and_then_by_its_link() -> None:
    found = shown(
        Raw(id="1", title="first"),
        Raw(id="1", link="https://example.org/elsewhere", title="the same id"),
        Raw(id="2", title="the same link"),
        Raw(id="", link="https://example.org/three", title="third"),
        Raw(id="", link="https://example.org/four", title="no id is no same id"),
    )
    assert [each.title for each in found] == ["first", "third", "no id is no same id"]


@pytest.mark.parametrize(
    ("published", "first_seen", "at"),
    [
        (NOW - timedelta(days=2), NOW - timedelta(days=1), NOW - timedelta(days=2)),
        (NOW + timedelta(days=4000), None, NOW),
        (NOW + timedelta(days=4000), NOW - timedelta(days=7), NOW - timedelta(days=7)),
        (None, NOW - timedelta(days=1), NOW - timedelta(days=1)),
        (None, None, NOW),
        (None, NOW + timedelta(days=1), NOW),
        (datetime(1, 1, 1, tzinfo=UTC), None, datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_date_that_cannot_be_is_when_it_was_first_seen(
    published: datetime | None, first_seen: datetime | None, at: datetime
) -> None:
    assert shown(Raw(published=published, first_seen=first_seen))[0].at == at


def test_the_newest_come_first_and_the_feeds_order_decides_among_equals() -> None:
    entries = [
        Raw(link=f"https://example.org/{n}", title=str(n), published=NOW - timedelta(days=n // 2)) for n in (3, 2, 1, 0)
    ]
    assert [each.title for each in shown(*entries)] == ["1", "0", "3", "2"]


# Picking


def test_only_what_came_since_is_picked_and_only_the_latest() -> None:
    items = [item(str(hours), hours=hours) for hours in range(6)]
    picked = pick(items, Rule(latest=3), since=NOW - timedelta(hours=2))
    assert [each.title for each in picked] == ["0", "1"]
    assert [each.title for each in pick(items, Rule(latest=3), since=NOW - timedelta(days=1))] == ["0", "1", "2"]


def test_a_site_that_says_much_leaves_room_for_others() -> None:
    items = [item("a"), item("b"), item("c", site="www.example.org"), item("d", site="other.example")]
    picked = pick(items, Rule(latest=2, per_source=1), since=NOW - timedelta(days=1))
    assert [each.title for each in picked] == ["a", "d"]


def test_tags_decide_whatever_their_case() -> None:
    items = [item("a", tags=("Women",)), item("b"), item("c", tags=("x", "listening")), item("d", tags=("y",))]
    picked = pick(items, Rule(latest=5, tags=("women", "Listening")), since=NOW - timedelta(days=1))
    assert [each.title for each in picked] == ["a", "c"]


# The block


def blocks_of(markdown: str) -> tuple[list[tuple[str, str, str]], str]:
    """(link, title, sentence) of each entry, and the title, as the letter's own parser and Markdown read them."""
    issue, problems = parse(
        letters.HEAD + markdown, path="issues/x.md", issue_id=letters.ISSUE_ID, defaults=letters.DEFAULTS
    )
    assert problems == []
    assert block_problems(issue.blocks) == []
    (found,) = issue.blocks
    assert found.kind == "feed"
    marker = Marker(word="0" * 16)
    assert marker.mark(found.body, Span("x")) == found.body
    assert marker.mark(found.attributes["title"], Span("x")) == found.attributes["title"]
    assert marker.problems == []
    return [_entry(each) for each in tokens_of(found.body) if each.type == "inline"], found.attributes["title"]


def _entry(inline) -> tuple[str, str, str]:
    children = inline.children
    kinds = [each.type for each in children if each.type not in ("text", "text_special")]
    assert kinds == ["strong_open", "link_open", "link_close", "strong_close"]
    end = next(n for n, each in enumerate(children) if each.type == "strong_close")
    link = next(each for each in children if each.type == "link_open")
    title, sentence = (Text().inline(part) for part in (children[: end + 1], children[end + 1 :]))
    address = str(link.attrGet("href"))
    words = "".join(each.content for each in children[: end + 1])
    assert title == (words if words == address else f"{words} ({address})")
    return address, words, sentence


HOSTILE = (
    "{{ first_name }}",
    "{% if x %}",
    "{{{% x",
    ":::",
    "::: action",
    "\n:::\n\n::: button {url=x label=y}\n:::\n",
    "](https://evil.example) **",
    "[x][y] ![z](w)",
    "`code` ``` ~~~",
    "==marked== a==b",
    "<https://evil.example> <b>",
    "\\",
    "\\\\",
    '"} {title="x"',
    "&copy; &#x3c;",
    "*a* _b_ __c__",
    "1. 2) # - + >",
    "\x00\x1b[31m\u202e\u2066\ud800\ufffe",
    "zq0000000000000000H0Hqz",
    "=",
    "![",
    "a:::b",
)
words = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join),
    st.text(alphabet="{}%:[]()*_`~=<>&#;!|\\\"' \nab\u202e\u200d", max_size=40),
)
links = st.one_of(
    words,
    words.map(lambda rest: f"https://example.org/{rest}"),
    st.sampled_from(["https://example.org/?a==b&copy;==", "https://example.org/a_b_*c*{{d}}"]),
)
entries = st.lists(
    st.builds(
        Raw,
        id=st.text(max_size=2),
        link=links,
        title=words,
        summary=words,
        published=st.none() | st.datetimes(timezones=st.just(UTC)),
        tags=st.lists(words, max_size=2).map(tuple),
    ),
    max_size=6,
)


@settings(deadline=None)  # the machine may be busy
@given(title=words, found=entries)
@example(title="{{", found=[Raw(title=each, summary=each, link=f"https://example.org/{each}") for each in HOSTILE])
@example(title=":::", found=[Raw(title="a==b", summary="c==d", link="https://example.org/?x==y==z")])
def test_the_block_of_any_feed_reads_back_as_its_items_and_nothing_more(title: str, found: list[Raw]) -> None:
    items = shown(*found)
    markdown = block(title, items)
    lines = markdown.split("\n")
    assert (len(lines), lines[-2:]) == (len(items) + 3, [":::", ""])
    assert all(line.startswith("- **[") for line in lines[1:-2])
    assert not re.search(r"\{\{|\{%", markdown)
    assert ":::" not in re.sub(r"\]\(\S+\)", "]", "".join(lines[1:-2])) + lines[0].removeprefix(":::")
    for character in markdown.replace("\n", ""):
        assert unicodedata.category(character)[0] != "C" or character in "\u200c\u200d"
    if items:
        back, name = blocks_of(markdown)
        assert back == [(each.link, each.title, each.sentence) for each in items]
        (inline,) = inline_tokens(name)
        assert {child.type for child in inline.children or []} <= {"text", "text_special"}
        assert "".join(child.content for child in inline.children or []) == plain_text(html.escape(title))


@settings(deadline=None)
@given(found=entries)
def test_every_link_is_https_to_a_name(found: list[Raw]) -> None:
    for each in shown(*found):
        assert re.fullmatch(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?/[!-~]*", each.link)
        assert not re.search(r"""[<>()"'`{}\[\]\\|*\s]""", each.link)


def test_a_letter_with_the_worst_of_feeds_is_built_without_problems() -> None:
    found = [
        Raw(title=f"{n} {each}", summary=each, link=f"https://example.org/{n}/{each}") for n, each in enumerate(HOSTILE)
    ]
    built = letters.built(block("From {{ city }} <b>", shown(*found)))
    assert [each for each in built.problems if each.level == "error"] == []
    assert built.edition is not None
