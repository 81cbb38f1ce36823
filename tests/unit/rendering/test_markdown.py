"""Markdown on its two surfaces: the same words in HTML and in plain text."""

from __future__ import annotations

import re

import pytest

from newsletter.rendering.markdown import Html, Text, bullet, tokens_of, underline, wrap

CASES = [
    ("a *b* **c**", "<p>a <em>b</em> <strong>c</strong></p>", "a _b_ c"),
    ("a ==b *c*== d", "<p>a <mark>b <em>c</em></mark> d</p>", "a *b _c_* d"),
    ("a == b", "<p>a == b</p>", "a == b"),
    ("x ==", "<p>x ==</p>", "x =="),
    ("[a](https://example.org/b)", '<p><a href="https://example.org/b">a</a></p>', "a (https://example.org/b)"),
    ("<https://example.org>", '<p><a href="https://example.org">https://example.org</a></p>', "https://example.org"),
    ("<a@example.org>", '<p><a href="mailto:a@example.org">a@example.org</a></p>', "a@example.org"),
    ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>", "<b>x</b>"),
    ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>", "<script>x</script>"),
    ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>", "[a](javascript:alert(1))"),
    ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>", "* a\n* b"),
    ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>', "3. a\n4. b"),
    ("> a\n>\n> b", "<blockquote>\n<p>a</p>\n<p>b</p>\n</blockquote>", "> a\n> \n> b"),
    ("### a\n\n#### b", "<h2>a</h2>\n<h3>b</h3>", "a\n-\n\nb\n-"),
    ("a\\\nb", "<p>a<br />\nb</p>", "a\nb"),
    ("`a_b`", "<p><code>a_b</code></p>", "a_b"),
    ("---", "<hr />", "* * *"),
    ("    code", "<pre><code>code\n</code></pre>", "    code"),
]


@pytest.mark.parametrize(("source", "html", "text"), CASES, ids=[case[0] for case in CASES])
def test_both_surfaces(source: str, html: str, text: str) -> None:
    assert Html(top_heading=2).blocks(tokens_of(source)) == html
    assert Text().blocks(tokens_of(source)) == text


@pytest.mark.parametrize(
    ("source", "levels"),
    [
        ("# a\n\n### b\n\n###### c\n\n# d", "2342"),
        ("# a\n\n###### b\n\n### c", "233"),
        ("### a\n\n# b\n\n## c", "223"),
        ("## a\n\n### b\n\n## c", "232"),
    ],
)
def test_no_level_of_headings_is_skipped(source: str, levels: str) -> None:
    html = Html(top_heading=2).blocks(tokens_of(source))
    assert "".join(re.findall(r"<h(\d)", html)) == levels


def test_nested_lists_hang_under_their_parents() -> None:
    assert Text().blocks(tokens_of("- a\n  - b\n  - c\n- d")) == "* a\n  * b\n  * c\n* d"


def test_text_stays_within_its_columns() -> None:
    text = Text().blocks(tokens_of("- " + "word " * 60 + "\n\n> " + "word " * 60 + "\n\n" + "word " * 60))
    assert max(map(len, text.splitlines())) <= 76


def test_helpers_for_themes() -> None:
    assert wrap("a " * 50, 4).splitlines()[1].startswith("    a")
    assert underline("Title", "=") == "Title\n====="
    assert underline("") == ""
    assert bullet("a\nb", "10. ") == "10. a\n    b"


def test_a_personal_field_is_as_long_as_a_name_when_lines_are_filled() -> None:
    mark = f"zq{'0' * 16}H0Hqz"
    words = f"Dear {mark}, {'word ' * 9}and the last"
    assert wrap(words) == words
    assert wrap(f"{words} and {mark} too").split("\n")[-1] == f"and {mark} too"
