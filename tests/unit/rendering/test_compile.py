"""From a letter to its edition: variants, holes, the same bytes every time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from newsletter.audience.subscriber import Subscriber
from newsletter.content.issue import Level
from newsletter.content.library import KINDS
from newsletter.errors import SettingsError
from newsletter.rendering.edition import read_edition
from newsletter.usecases.build import finished
from newsletter.usecases.fill import filler
from tests.conftest import NOW
from tests.unit.letters import FIRST_BODY_LINE, HEAD, ROOT, built, theme_files

EVERY_KIND = """
::: follow-up
Last week you chose.
:::

::: quote {by="Ada Example" role="Organiser" url="https://example.org/ada"}
Words.
:::

::: reflection {title="Pause"}
Dear {{ first_name | default("friend") }}, ==look==. [A page](https://example.org/page).
:::

::: definition {term="Allyship"}
A practice.

- **Listening** before speaking.
:::

::: points {title="Keep in mind"}
Some.

- **One** thing.

And after.
:::

::: steps {title="Do"}
1. **First** this.
2. **Then** that.
:::

::: practice {title="The practice"}
1. **Pause** and look.
:::

::: stats {title="Figures" source="Invented" source_url="https://example.org/source"}
- **50%** of nothing.
:::

::: learn {title="Read" url="https://example.org/read" label="Open it"}
A text.
:::

::: resources {title="More"}
- [A guide](https://example.org/guide) to something.
:::

::: feed {title="New"}
- [An entry](https://example.org/entry) of today.
:::

::: takeaway
One sentence.
:::

::: action {id="listen"}
This week, I commit to listening.

Choose one.

- When interrupted, I will wait.
:::

::: spread-the-word
text: Listening is a practice.

Pass it on.
:::

::: keep-going {title="A talk" url="https://example.org/talk" date="2026-12-03 17:00 Europe/Berlin" label="Come"}
An hour.
:::

::: image {src="https://example.org/a.png" alt="A chair" width="580" height="320" caption="A chair." url="https://example.org"}
:::

::: button {url="https://example.org/b" label="Press"}
:::

::: text {title="Else"}
Anything.
:::

::: subscribe {url="https://example.org/subscribe" label="Join"}
Was it passed on to you?
:::
"""
LINKS = {"unsubscribe_url": "https://x.example/leave/t", "preferences_url": "https://x.example/p/t"}


def values(edition: object, **more: str) -> dict[str, str]:
    """Something for every hole."""
    return {**dict.fromkeys(edition.holes, "Zoë"), **LINKS, **more}  # type: ignore[attr-defined]


def test_every_kind_of_block_is_shown_in_html_and_in_text() -> None:
    result = built(EVERY_KIND)
    assert [problem.what for problem in result.problems] == []
    assert {block.kind for block in result.issue.blocks} == set(KINDS)
    edition, cut = finished(result)
    html = cut.variants[0].html.fill(values(edition)).decode()
    text = cut.variants[0].text.fill(values(edition)).decode()
    for said in (
        "Words.",
        "look",
        "Listening",
        "And after.",
        "Then",
        "50%",
        "Invented",
        "Come",
        "A chair.",
        "Press",
        "Anything.",
        "Join",
    ):
        assert said in html, said
        assert said in text, said
    for address in ("read", "guide", "entry", "talk", "page", "source", "b", "subscribe"):
        assert f"https://example.org/{address}" in html, address
        assert f"https://example.org/{address}" in text, address
    assert "Thursday, 3 December 2026, 17:00 (Berlin time)" in html
    assert "zqH" not in html + text


CONDITIONAL = """
::: text
For all.
:::

::: text {for="segment:workplace"}
At work.
:::

::: text {for="segment:parents"}
At home.
:::
"""
SEGMENTS = {
    "everyone": {"all": []},
    "workplace": {"is": "tags", "values": ["workplace"]},
    "parents": {"is": "tags", "values": ["parents"]},
}


def test_every_combination_of_conditions_is_compiled() -> None:
    edition, _ = finished(built(CONDITIONAL, segments=SEGMENTS))
    seen = {
        variant.conditions: ("At work." in variant.html, "At home." in variant.text) for variant in edition.variants
    }
    assert seen == {truth: truth for truth in ((False, False), (False, True), (True, False), (True, True))}
    assert [condition.name for condition in edition.conditions] == ["segment:workplace", "segment:parents"]
    assert edition.conditions[0].rule == SEGMENTS["workplace"]


def test_more_conditions_than_can_be_combined_are_a_problem() -> None:
    names = [f"s{number}" for number in range(6)]
    body = "\n".join(f'::: text {{for="segment:{name}"}}\nx\n:::\n' for name in names)
    result = built(
        body, segments={"everyone": {"all": []}, **{name: {"is": "tags", "values": [name]} for name in names}}
    )
    assert [problem.what for problem in result.errors] == ["6 different for= conditions; a letter may have 5"]


@pytest.mark.parametrize(
    ("body", "line", "what"),
    [
        ('::: text {for="segment:workplce"}\nx\n:::\n', 0, "no segment 'workplce'"),
        ("::: text\nx {{ frist_name }}\n:::\n", 1, "no field 'frist_name'"),
        ("::: text\n\n\n[x](example.org)\n:::\n", 3, "no full https:// address"),
        ("::: text\n[x](http://example.org)\n:::\n", 1, "no full https:// address"),
        ('::: button {url="example.org" label="x"}\n:::\n', 0, "no full https:// address"),
        ('::: keep-going {date="next week"}\nx\n:::\n', 0, "is no date"),
        ('::: image {src="https://example.org/a.png" alt="x" width="50%"}\n:::\n', 0, "number of pixels"),
        ("::: spread-the-word\ntext: Hello {{ first_name }}\n:::\n", 0, "holds a personal field"),
        ("::: text\n[x]({{ first_name }})\n:::\n", 1, "begins an address"),
    ],
)
def test_what_only_rendering_can_see_is_a_problem_on_its_line(body: str, line: int, what: str) -> None:
    result = built(body)
    found = [problem for problem in result.errors if what in problem.what]
    assert len(found) == 1, result.problems
    assert found[0].hint
    assert found[0].at.line == FIRST_BODY_LINE + line


def test_a_personal_title_is_a_problem() -> None:
    result = built("::: text\nx\n:::\n", head=HEAD.replace("title: A letter", 'title: "A letter for {{ first_name }}"'))
    assert [str(problem.at) for problem in result.errors] == ["issues/a.md:2"]


def test_an_edition_is_read_back_as_it_was_written() -> None:
    edition, _ = finished(built(CONDITIONAL, segments=SEGMENTS))
    again = read_edition(edition.to_bytes())
    assert again == edition
    assert again.hash == edition.hash


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"format": 2}', b'{"format": 1}'])
def test_what_is_no_edition_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_edition(body)


def test_two_builds_in_two_processes_make_the_same_bytes() -> None:
    """Whatever the order of sets and the locale of the machine."""
    program = (
        "from tests.unit.letters import built; from tests.unit.rendering.test_compile import *; import sys; "
        "edition, _ = finished(built(EVERY_KIND + CONDITIONAL, segments=SEGMENTS)); "
        "sys.stdout.buffer.write(edition.to_bytes())"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for seed, locale, zone in (
            ("1", "C.UTF-8", "UTC"),
            ("2", "C", "Asia/Tokyo"),
            ("3", "C.UTF-8", "America/New_York"),
        )
    }
    assert len(made) == 1
    assert read_edition(made.pop()).variants


@pytest.mark.parametrize(
    "broken",
    ["{% if %}", "{{ nothing.at.all }}", "{{ words['no'] }}", "{{ letter.__class__.__mro__[1].__subclasses__() }}"],
)
def test_a_broken_template_is_named(broken: str) -> None:
    with pytest.raises(SettingsError) as refused:
        built("::: text\nx\n:::\n", theme={"page.html.j2": theme_files()["page.html.j2"] + broken})
    assert refused.value.at.startswith("templates/letter/page.html.j2")


def test_a_theme_that_forgets_the_way_out_is_an_error() -> None:
    page = theme_files()["page.txt.j2"].replace("{{ links.unsubscribe }}", "")
    result = built("::: text\nx\n:::\n", theme={"page.txt.j2": page})
    assert [problem.what for problem in result.errors] == ["the text part has no link to leave"]


@pytest.mark.parametrize(
    ("old", "new", "level", "what"),
    [
        ("A line that says what the subject does not say yet.", "Short.", Level.WARNING, "6 characters"),
        ("A line that says what the subject does not say yet.", "One small thing for Monday", Level.WARNING, "repeats"),
        ("One small thing for Monday", '"Re: One small thing"', Level.ERROR, "pretends"),
    ],
)
def test_subject_and_preheader_are_looked_at(old: str, new: str, level: Level, what: str) -> None:
    result = built("::: text\nx\n:::\n", head=HEAD.replace(old, new))
    assert [problem.level for problem in result.problems if what in problem.what] == [level]


@pytest.mark.parametrize(
    "subject", ["\"{{ 'Re:' }} your invoice\"", '"{{ first_name }}"', "\"{{ city | default('Re: x') }}\""]
)
def test_a_subject_is_looked_at_as_every_reader_sees_it(subject: str) -> None:
    result = built("::: text\nx\n:::\n", head=HEAD.replace("One small thing for Monday", subject))
    assert [str(problem.at) for problem in result.errors] == ["issues/a.md:3"]


@pytest.mark.parametrize(("words", "level"), [(14_500, Level.WARNING), (20_000, Level.ERROR)])
def test_a_letter_that_gmail_would_clip_is_noticed(words: int, level: Level) -> None:
    result = built("::: text\n" + "seven " * words + "\n:::\n")
    assert [problem.level for problem in result.problems if "Gmail clips" in problem.what] == [level]


def test_styles_that_gmail_would_drop_are_noticed() -> None:
    padding = "\n".join(f".never-{number} {{ color: #1b1a2b !important; }}" for number in range(500))
    result = built("::: text\nx\n:::\n", theme={"client.css": theme_files()["client.css"] + padding})
    assert [problem.level for problem in result.problems if "drops all above" in problem.what] == [Level.ERROR]


def test_a_constant_may_stand_inside_a_larger_expression() -> None:
    edition, cut = finished(built("::: text\n{{ newsletter_name | upper }} {{ archive_url }}\n:::\n"))
    fill = filler(edition, lambda _person, _at: LINKS, cut=cut)
    row = fill.values(Subscriber(id=1, address="a@example.org"), at=NOW)
    html = cut.variants[0].html.fill(row).decode()
    assert "THE MONDAY LETTER" in html
    assert "https://letters.example.org/letters/2026-11-23-a-letter/" in html


def test_more_expressions_than_a_letter_may_have_are_a_problem() -> None:
    body = "::: text\n" + "\n".join(f"{{{{ name | default('{number}') }}}}" for number in range(250)) + "\n:::\n"
    assert [problem.what for problem in built(body).errors] == ["200 different expressions"]


def test_a_date_in_a_zone_that_does_not_exist_is_a_problem() -> None:
    result = built('::: keep-going {date="2026-12-03 17:00 Europe/Berlinn"}\nx\n:::\n')
    assert ["is no date" in problem.what for problem in result.errors] == [True]


def test_marks_that_are_lost_while_inlining_stop_the_letter() -> None:
    """A theme that puts a hole where premailer throws things away would mail letters with gaps."""
    page = theme_files()["page.html.j2"].replace(
        "</head>", "<style>p.x { color: {{ letter.preheader }} }</style></head>"
    )
    with pytest.raises(SettingsError, match="lost or doubled"):
        built(
            "::: text\nx\n:::\n",
            head=HEAD.replace("preheader: A", 'preheader: "{{ first_name | d(1) }} A').replace("say yet.", 'say yet."'),
            theme={"page.html.j2": page},
        )
