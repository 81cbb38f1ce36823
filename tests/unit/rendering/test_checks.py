"""Every check is seen to fire, at the right line, and to stay silent; and can be switched off, unless it is firm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from newsletter.content.issue import Level
from newsletter.errors import SettingsError
from newsletter.rendering.checks import pictures
from newsletter.rendering.checks.reached import Reached
from newsletter.rendering.checks.reading import read
from newsletter.rendering.checks.table import BY_ID, CHECKS, ENOUGH, OF_THE_PAGE, check_links
from newsletter.usecases.build import Built, Desk, build
from tests.unit.letters import FIRST_BODY_LINE, HEAD, ROOT, desk, letter, theme_files

WORDING = (ROOT / "templates" / "wording.toml").read_text()
MISTAKES = ROOT / "tests" / "cases" / "mistakes" / "2026-11-23-many-mistakes.md"
PLAIN = "::: text\nA plain sentence for everyone.\n:::\n"


@dataclass(frozen=True)
class Case:
    """A letter, or a theme, with one thing wrong with it; `line` 0 is the theme, or the letter as a whole."""

    check: str
    line: int
    body: str = PLAIN
    head: dict[str, str] = field(default_factory=dict)
    theme: Callable[[str, str], str] = lambda _name, text: text
    language: str = "en"


def check(case: Case, *, off: tuple[str, ...] = ()) -> Built:
    files = {name: case.theme(name, text) for name, text in theme_files().items()}
    here = replace(desk(theme=files), wording=WORDING, off=dict.fromkeys(off, "because"))
    return build_as(case, here)


def build_as(case: Case, here: Desk) -> Built:
    head = HEAD
    for key, value in case.head.items():
        lines = [f"{key}: {value}" if line.startswith(f"{key}:") else line for line in head.split("\n")]
        head = "\n".join(lines)
    if case.language != "en":
        head = head.replace("send:", f"language: {case.language}\nsend:")
    text = letter(case.body, head=head)
    day = next(line[6:16] for line in text.split("\n") if line.startswith("send: "))
    return build(text, path="issues/a.md", issue_id=f"{day}-a-letter", desk=here)


def swap(file: str, old: str, new: str, *, once: bool = False) -> Callable[[str, str], str]:
    """A theme with *old* replaced in one of its files."""

    def change(name: str, text: str) -> str:
        if name != file:
            return text
        assert old in text, old
        return text.replace(old, new, 1 if once else -1)

    return change


def text(line: str, *, before: str = "") -> str:
    return f"::: text\n{before}{line}\n:::\n"


HERE = FIRST_BODY_LINE + 1  # the first line of the first block's body
LONG = "This is a sentence that goes on and on " + "because nobody stopped it in time " * 6 + "and here it ends."
HARD = "Organisational interdependencies necessitate comprehensive intersectional accountability considerations. " * 20

MANY_STYLES = "\n".join(f".never-{number} {{ color: #1b1a2b !important; }}" for number in range(500)) + "\n"
ADDRESS = "{% for line in newsletter.postal_address %}\n{{ line }}\n{% endfor %}"
PICTURE = '::: image {src="https://example.org/a.png" width="10" '

FIRES = [
    Case("subject-long", 3, head={"subject": "A subject that goes on " + "and on " * 12}),
    Case("subject-loud", 3, head={"subject": "THIS IS URGENT"}),
    Case("subject-loud", 3, head={"subject": "Please read this!!"}),
    Case("subject-answer", 3, head={"subject": '"Re: One small thing"'}),
    Case("subject-answer", 3, head={"subject": "\"{{ 'Fwd:' }} a thing\""}),
    Case("subject-empty", 3, head={"subject": '"{{ first_name }}"'}),
    Case("preheader-length", 4, head={"preheader": "Short."}),
    Case("preheader-length", 4, head={"preheader": "long " * 30}),
    Case("preheader-repeats", 4, head={"preheader": "One small thing for Monday, and then some more of it"}),
    Case("commitment", HERE, "::: action\nPlease think about it.\n:::\n"),
    Case("commitment", HERE, "::: action\nDenkt mal darüber nach.\n:::\n", language="de"),
    Case("heading-order", HERE + 2, text("# One\n\n### Three")),
    Case("placeholder", HERE, text("Written by TK on a train.")),
    Case("placeholder", HERE + 1, text("TODO: an example", before="First line\n")),
    Case("placeholder", HERE, text("Dear [name],")),
    Case("placeholder", HERE, text("Dear {first_name},")),
    Case("placeholder", HERE, text("Dear *|FNAME|*,")),
    Case("placeholder", HERE, text("Meet us at ???")),
    Case("placeholder", 2, head={"title": "Lorem ipsum"}),
    Case("markup-left", HERE, text("This is **not closed.")),
    Case("markup-left", HERE, text("This is <b>HTML</b>.")),
    Case("markup-left", HERE, text("[A link] (https://example.org) and another](https://example.org)")),
    Case("doubled-word", HERE, text("we know know it")),
    Case("doubled-word", HERE, text("a word and\nand its twin")),
    Case("wording", HERE, text("Hey guys, welcome.")),
    Case("wording", HERE, text("It was a blind\nspot of mine.")),
    Case("wording", HERE, text("Sie leidet an einer Krankheit."), language="de"),
    Case("long-sentence", HERE + 1, text(LONG, before="One. Two.\n")),
    Case("long-paragraph", HERE, text("Short words go here. " * 40)),
    Case("reading-level", 0, text(HARD)),
    Case("link-text", HERE, text("[Click here](https://example.org/a) to read it.")),
    Case("link-text", HERE, text("<https://example.org/a>")),
    Case("link-text", HERE, text("[hier](https://example.org/a)"), language="de"),
    Case(
        "link-text",
        HERE - 1,
        '::: learn {title="A talk" url="https://example.org" label="Read more"}\nGood.\n:::\n',
    ),
    Case("link-same", HERE + 1, text("[A guide](https://example.org/a)\n[a guide](https://example.org/b)")),
    Case("link-shortener", HERE, text("[A guide](https://bit.ly/abc)")),
    Case("link-tracking", HERE, text("[A guide](https://example.org/?a=1&utm_source=x)")),
    Case("link-tracking", HERE, text("[A guide](https://example.org/?fbclid=x)")),
    Case("link-nowhere", HERE, text("[A guide](https://192.0.2.1/)")),
    Case("link-nowhere", HERE, text("[A guide](https://wiki.internal/)")),
    Case("link-nowhere", HERE, text("[A guide](https://localhost/)")),
    Case("link-anchor", HERE, text("[below](#nowhere)")),
    Case("alt-text", HERE - 1, PICTURE + 'alt="IMG_1234.jpg"}\n:::\n'),
    Case("alt-text", HERE - 1, PICTURE + 'alt="Photo of us"}\n:::\n'),
    Case("alt-text", HERE - 1, PICTURE + 'alt="Us" caption="Us"}\n:::\n'),
    Case("weekday", HERE, text("See you on Tuesday, 23 November 2026.")),
    Case("weekday", HERE, text("See you on Tuesday, November 23rd.")),
    Case("weekday", HERE, text("See you on Friday,\nthe 31st of November.")),
    Case("weekday", HERE, text("Wir sehen uns am Dienstag, den 23. November 2026."), language="de"),
    Case("other-day", HERE, text("Happy Friday, everyone.")),
    Case("other-day", HERE, text("How are you this Tuesday morning?")),
    Case("past-date", HERE - 1, '::: keep-going {date="2026-11-01 17:00"}\nA talk.\n:::\n'),
    Case("stale-year", 3, head={"subject": "Our plans for 2025"}),
    Case("stale-year", HERE, text("© 2024 The Monday Letter")),
    Case("clipped", 2, text("seven eight " * 10_000)),
    Case("nearly-clipped", 2, text("seven eight " * 7_250)),
    Case("style-size", 0, theme=swap("client.css", "@media", MANY_STYLES + "@media", once=True)),
    Case("left-over", 0, theme=swap("page.txt.j2", "{{ body }}", "{{ body }} {{ '{' }}{ x }}")),
    Case("way-out", 0, theme=swap("page.txt.j2", "{{ links.unsubscribe }}", "nowhere")),
    Case("who-and-why", 0, theme=swap("page.html.j2", "{{ newsletter.reason }}", "Because.")),
    Case(
        "who-and-why",
        0,
        theme=swap("page.txt.j2", ADDRESS, ""),
    ),
    Case("web-version", 0, theme=swap("page.txt.j2", "{{ links.archive }}", "")),
    Case(
        "text-part",
        0,
        text("Twelve different words make more than a tenth of what this letter says."),
        theme=swap("page.txt.j2", "{{ body }}", ""),
    ),
    Case("page-headings", 0, theme=swap("page.html.j2", "</body>", "<h1>Another</h1></body>")),
    Case("page-headings", 0, theme=swap("page.html.j2", "</body>", "<h5>Far below</h5></body>")),
]

SILENT = [
    Case("subject-loud", 0, head={"subject": "What the NHS asks of us!"}),
    Case("subject-answer", 0, head={"subject": "Regarding Monday"}),
    Case("preheader-repeats", 0, head={"preheader": "Five minutes, one small thing, and a friend to tell"}),
    Case("commitment", 0, "::: action\nThis week, I commit to listening first.\n:::\n"),
    Case("commitment", 0, "::: action\nWhen a colleague is cut off, I will hand the word back.\n:::\n"),
    Case("commitment", 0, "::: action\nDiese Woche nehme ich mir vor, zuzuhören.\n:::\n", language="de"),
    Case("heading-order", 0, text("# One\n\n## Two\n\n# One\n\n## Two")),
    Case(
        "placeholder",
        0,
        text("Dear {{ first_name | default('friend') }}, [the name](https://example.org/a) is Toki."),
    ),
    Case("markup-left", 0, text("Two < three, and **bold**, and ==marked==")),
    Case("doubled-word", 0, text("I had had enough. She said that that was it. Well-known, known to all.")),
    Case("wording", 0, text("We disguise nothing.")),
    Case("long-sentence", 0, text("Short words go here. " * 20)),
    Case("reading-level", 0, text("We met. We sat down. We said what we think, and we went home. " * 12)),
    Case("link-text", 0, text("[Here is how to run a round](https://example.org/a)")),
    Case("link-same", 0, text("[A guide](https://example.org/a) and again [a guide](https://example.org/a)")),
    Case("link-shortener", 0, text("[A guide](https://orbit.ly.example.org/abc)")),
    Case("link-tracking", 0, text("[A guide](https://example.org/?source=letter&medium=mail)")),
    Case("link-nowhere", 0, text("[A guide](https://example.org/localhost)")),
    Case("link-anchor", 0, text("[below](#steps-now)") + '::: steps {id="now"}\n- **One.** Two.\n:::\n'),
    Case(
        "alt-text",
        0,
        PICTURE + 'alt="Two people at a table, one listening"}\n:::\n',
    ),
    Case("weekday", 0, text("See you on Monday, 23 November 2026, or on Tuesday, December 1.")),
    Case("other-day", 0, text("Happy Monday! See you this Friday. It is Friday that we fear.")),
    Case("past-date", 0, '::: keep-going {date="2026-12-03 17:00 Europe/Berlin"}\nA talk.\n:::\n'),
    Case("stale-year", 0, text("In 2019 we began. © 2026 The Monday Letter")),
]


@pytest.mark.parametrize("case", FIRES, ids=lambda case: f"{case.check}-{FIRES.index(case)}")
def test_it_fires_where_something_is_wrong(case: Case) -> None:
    found = [problem for problem in check(case).problems if problem.check == case.check]
    line = case.line + (case.language != "en")  # which has a line of its own in the head
    assert [problem.at.line for problem in found][:1] == [line], check(case).problems
    assert {problem.level for problem in found} == {BY_ID[case.check].level}
    assert all(problem.hint for problem in found)
    of_theme = BY_ID[case.check] in OF_THE_PAGE and case.line == 0 and case.check != "left-over"
    assert found[0].at.path == ("templates/letter" if of_theme else "issues/a.md")


@pytest.mark.parametrize("case", SILENT, ids=lambda case: f"{case.check}-{SILENT.index(case)}")
def test_it_is_silent_where_nothing_is(case: Case) -> None:
    assert [problem for problem in check(case).problems if problem.check == case.check] == []


def test_links_that_were_followed_are_told_where_they_stand() -> None:
    url, other = "https://example.org/a", "https://example.org/b"
    reading = read(check(Case("", 0, text(f"[One]({url}) and\n[two]({other})"))).issue)
    found = check_links(Reached(reading=reading, gone={other: "no such page"}, unsure={url: "it answers 500"}))
    assert [(each.check, each.level, each.at.line) for each in found] == [
        ("link-gone", Level.ERROR, HERE + 1),
        ("link-unsure", Level.WARNING, HERE),
    ]
    assert check_links(Reached(reading=reading, gone={}, unsure={})) == []
    assert check_links(Reached(reading=reading, gone={url: "x"}, unsure={}), off=["link-gone"]) == []


def test_every_check_is_seen_to_fire() -> None:
    of_pictures = {each.id for each in pictures.CHECKS}  # tests/unit/rendering/test_images.py
    elsewhere = {"required-block", "link-gone", "link-unsure", *of_pictures}
    assert {case.check for case in FIRES} | elsewhere == set(BY_ID)
    assert len(BY_ID) == len(CHECKS)


def test_a_plain_letter_has_no_problem_at_all() -> None:
    assert check(Case("", 0)).problems == ()


def test_a_letter_needs_the_blocks_that_this_newsletter_requires() -> None:
    needs = replace(desk(), required=("text", "action"))
    problems = build_as(Case("", 0), needs).problems
    assert [(problem.check, problem.what) for problem in problems] == [("required-block", "the letter has no 'action'")]
    complete = PLAIN + "::: action\nThis week, I commit to it.\n:::\n"
    assert build_as(Case("", 0, complete), needs).problems == ()


@pytest.mark.parametrize("case", FIRES[:3], ids=lambda case: case.check)
def test_what_is_switched_off_is_silent(case: Case) -> None:
    assert case.check not in {problem.check for problem in check(case, off=(case.check,)).problems}


@pytest.mark.parametrize(
    ("name", "says"),
    [("clipped", "stays on"), ("way-out", "stays on"), ("placehoder", "no check")],
)
def test_what_cannot_be_switched_off_is_said(name: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        check(Case("", 0), off=(name,))


def test_many_findings_of_one_kind_are_counted() -> None:
    found = [each for each in check(Case("", 0, text("know know\n" * 50))).problems if each.check == "doubled-word"]
    assert len(found) == ENOUGH + 1
    assert "more of this kind" in found[-1].what


# Each mistake of the letter is planted on a line of its own, or twice on purpose.
PLANTED = [
    *[(2, "stale-year"), (3, "subject-loud"), (3, "subject-loud"), (4, "preheader-length"), (4, "preheader-repeats")],
    *[(8, "placeholder"), (12, "other-day"), (13, "placeholder"), (15, "wording"), (15, "doubled-word")],
    *[(15, "weekday"), (19, "heading-order"), (21, "wording"), (21, "markup-left"), (23, "placeholder")],
    *[(26, "link-shortener"), (27, "link-text"), (27, "link-text"), (29, "link-same"), (30, "link-tracking")],
    *[(31, "link-nowhere"), (32, "link-nowhere"), (33, "link-anchor"), (36, "alt-text"), (39, "alt-text")],
    *[(43, "commitment"), (46, "past-date"), (47, "long-sentence"), (47, "weekday"), (50, "required-block")],
    *[(51, "placeholder"), (51, "link-text"), (53, "stale-year")],
]


def test_a_letter_with_more_than_thirty_mistakes_is_diagnosed_line_by_line() -> None:
    here = replace(desk(), wording=WORDING, required=("spread-the-word",))
    built = build(MISTAKES.read_text(), path=MISTAKES.name, issue_id=MISTAKES.stem, desk=here)
    assert Counter((each.at.line, each.check) for each in built.problems) == Counter(PLANTED)
    assert len(PLANTED) >= 30


@pytest.mark.parametrize("path", sorted((ROOT / "issues").glob("*.md")), ids=lambda path: path.stem)
def test_the_sample_letters_have_no_problem(path: Path) -> None:
    built = build(path.read_text(), path=path.name, issue_id=path.stem, desk=replace(desk(), wording=WORDING))
    assert [each for each in built.problems if each.level is not Level.NOTE] == []


@pytest.mark.parametrize(
    ("wording", "says"),
    [
        ("[[en]]\nwords = [", r"wording.toml"),
        ('[[en]]\nwords = ["a("]\nwhy = "x"\ninstead = []', r"\[\[en\]\] number 1: words cannot be read"),
        ('[[en]]\nwords = "guys"\nwhy = "x"\ninstead = []', r"\[\[en\]\] number 1: not a row"),
    ],
)
def test_a_word_list_that_cannot_be_read_says_which_row(wording: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        build_as(Case("", 0), replace(desk(), wording=wording))
