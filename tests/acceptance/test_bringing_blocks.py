"""What of an article becomes which block, where it stays text, and what its editor is told."""

from __future__ import annotations

import pytest

from tests.acceptance.workplace import Workplace

ARTICLE = """\
# The chair beside you

> They remember whether I saved them a chair.
>
> — [Ada Example](https://example.org/ada), organiser

There is a notebook on my shelf.

It has a page headed *January*.

## Why it matters

- **62%** of the talking was done by three people
- 41% kept something to themselves

Source: [A survey we made up](https://example.org/survey)

## What is making room?

Making room means to run a conversation so that nobody has to be loud.

- **It is modest.** Nobody is being rescued.
- **It is fine.** So is everybody.

## Five ways

1. **Reread.** Find what you promised.
2. **Ask.** Choose one person.

## Keep in mind

- **Silence is not agreement.** It can be doubt.
- **Quiet is not shy.** Some think by writing.

## Do the work

This week, I commit to one promise that somebody can see.

- When somebody is cut off, I will hand the word back.
- When I am corrected, I will say thank you.

## Spread the word

A goal that nobody would notice is a feeling. Give yours a witness.

Send it to one person.

## If you want to keep going

Come to [the talk](https://example.org/talk).

## Read more

- [How to run a round](https://example.org/rounds) One page.
- [Minutes](https://example.org/minutes) A template.

## A note

We are away.
"""
EXPECTED = [
    '::: quote {by="Ada Example" role="organiser" url="https://example.org/ada"}',
    "::: reflection",
    '::: stats {title="Why it matters" source="A survey we made up" source_url="https://example.org/survey"}',
    '::: definition {term="What is making room?"}',
    '::: steps {title="Five ways"}',
    '::: points {title="Keep in mind"}',
    '::: action {title="Do the work"}',
    '::: spread-the-word {title="Spread the word"}',
    '::: keep-going {title="If you want to keep going"}',
    '::: resources {title="Read more"}',
    '::: text {title="A note"}',
]


@pytest.fixture(scope="module")
def letters(tmp_path_factory) -> Workplace:
    workplace = Workplace(tmp_path_factory.mktemp("bringing") / "letters")
    workplace.done("init", str(workplace.root))
    return workplace


def bring(letters: Workplace, text: str, name: str = "article.md", *words: str) -> tuple[str, str]:
    """The draft made of *text*, and what was said about it."""
    file = letters.root.parent / name
    file.write_bytes(text.encode())
    said = letters.done("new", *words, "--from", str(file))
    path = letters.root / said.stdout.strip()
    draft = path.read_text()
    path.unlink()
    return draft, said.stderr


def openings(draft: str) -> list[str]:
    return [line for line in draft.split("\n") if line.startswith("::: ")]


def test_every_block_there_is_a_rule_for_is_recognised(letters):
    draft, said = bring(letters, ARTICLE)
    assert openings(draft) == EXPECTED
    assert 'title: "The chair beside you"' in draft
    assert "text: A goal that nobody would notice is a feeling.\n\nGive yours a witness.\n\nSend it" in draft
    assert "- **41%** kept something" in draft
    assert "Recognised: quote, reflection, stats, definition" in said


def test_only_what_an_editor_must_write_is_missing(letters):
    file = letters.root.parent / "article.md"
    file.write_text(ARTICLE)
    path = letters.root / letters.done("new", "--from", str(file)).stdout.strip()
    said = letters.run("check", path.stem, "--json").data
    assert [each["what"] for each in said if each["level"] == "error"] == ["'preheader' is missing"]
    path.write_text(path.read_text().replace("preheader:", 'preheader: "Five small moves from meaning well to doing."'))
    said = letters.run("check", path.stem, "--json").data
    assert [each["what"] for each in said if each["level"] == "error"] == []
    shown = letters.done("render", path.stem, "--text").stdout
    assert "shorten" not in shown
    assert "brought along" not in shown
    path.unlink()


# What is like a block, but not surely one: Markdown, the kind that it stays or becomes, a word of the note.
DOUBTS = {
    "nobody commits": ("# T\n\nA.\n\n## This week\n\nIt rained.\n", "text", "nobody commits"),
    "an action without a sentence": ("# T\n\nA.\n\n## Do the work\n\n- One\n- Two\n", "text", "a sentence to commit"),
    "an action that is not in the first person": ("# T\n\nA.\n\n## Do the work\n\nAsk her.\n", "action", "I commit to"),
    "a commitment of many words": (f"# T\n\nA.\n\n## Take action\n\nI will {'go ' * 90}\n", "text", "250 characters"),
    "a second action": ("# T\n\n## Do the work\n\nI will.\n\n## Take action\n\nI will too.\n", "text", "one above"),
    "a link to pass on": ("# T\n\nA.\n\n## Share\n\nRead [it](https://a.example).\n", "text", "holds a link"),
    "nothing to pass on": ("# T\n\nA.\n\n## Share\n\n- a\n", "text", "sentence to pass on"),
    "resources without links": ("# T\n\nA.\n\n## Resources\n\n- A book\n- Another\n", "text", "begins with a link"),
    "resources without a list": ("# T\n\nA.\n\n## Read more\n\nIn a book.\n", "text", "no list of its own"),
    "figures without a source": ("# T\n\nA.\n\n## Why\n\n- 62% of all\n- 41% of some\n", "text", "Source: …"),
    "a hidden commitment": ("# T\n\nA.\n\n## Then\n\nSo this week I will ask.\n", "text", "should it be an 'action'"),
    "a talk without a day": ("# T\n\nA.\n\n## Keep going\n\nCome.\n", "keep-going", "url, date and label"),
    "a heading that is a link": ("# T\n\nA.\n\n## [Share](https://a.example)\n\nThis.\n", "text", "is a link"),
}


@pytest.mark.parametrize(("text", "kind", "note"), DOUBTS.values(), ids=DOUBTS)
def test_what_is_not_certain_stays_text_and_is_said(letters, text, kind, note):
    draft, said = bring(letters, text)
    assert openings(draft)[-1].split()[1] == kind
    assert note in said
    assert note in draft[draft.index("---\n\n") : draft.rindex("\n::: ")]  # a comment right above the block


# What looks like something else at first: Markdown, and the openings of its blocks.
CASES = {
    "a quotation that nobody said": ("# T\n\n> Words.\n\nMore.\n", ["::: text"]),
    "a quotation in quotation marks": (
        "# T\n\n“Words.”\n\n— Ada Example\n\nMore.\n",
        ['::: quote {by="Ada Example"}', "::: reflection"],
    ),
    "a dash that names nobody": ("# T\n\n“Words,” he said.\n\n— and then he went.\n", ["::: reflection"]),
    "what a name cannot hold": ("# T\n\n> Words.\n\n— {{ name }}\n", ["::: text"]),
    "what is, but no answer": (
        "# T\n\nA.\n\n## What is new?\n\nMuch.\n",
        ["::: reflection", '::: text {title="What is new?"}'],
    ),
    "a plain list": ("# T\n\nA.\n\n## L\n\n- one\n- two\n", ["::: reflection", '::: text {title="L"}']),
    "bold leads in the middle of the text": (
        "# T\n\nA.\n\n- **One.** a\n- **Two.** b\n\nB.\n",
        ["::: reflection", "::: points", "::: text"],
    ),
    "steps that do not begin with one": ("# T\n\nA.\n\n3. **One.** a\n4. **Two.** b\n", ["::: reflection"]),
    "bold lines for headings": (
        "# T\n\nA.\n\n**Do the work**\n\nI will ask.\n\n**And then**\n\nB.\n",
        ["::: reflection", '::: action {title="Do the work"}', '::: text {title="And then"}'],
    ),
    "a line across the page": ("# T\n\nA.\n\n***\n\nB.\n", ["::: reflection", "::: text"]),
    "headings further down": (
        "# T\n\n## A\n\na\n\n### B\n\nb\n\n## C\n\nc\n",
        ['::: reflection {title="A"}', '::: text {title="C"}'],
    ),
    "a heading over nothing": (
        "# T\n\nA.\n\n## B\n\n## C\n\nc\n",
        ["::: reflection", "::: text", '::: text {title="C"}'],
    ),
    "signs in a heading": (
        '# T\n\nA.\n\n## "B" \\\\ {{c}}\n\nb\n',
        ["::: reflection", r'::: text {title="\"B\" \\\\ \\{\\{c}}"}'],
    ),
    "figures in the middle of the text": (
        "# T\n\nA.\n\n- **6%** a\n- **7%** b\n\nSource: us\n\nB.\n",
        ["::: reflection", '::: stats {source="us"}', "::: text"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_what_looks_like_something_else(letters, text, expected):
    assert openings(bring(letters, text)[0]) == expected


TITLES = {
    "the first heading": ("# One *two*\n\nThree.\n", '"One two"'),
    "the first line": ("One two\n\nThree four.\n", '"One two"'),
    "a heading further down": ("Three.\n\n# One\n\nTwo.\n", '"One"'),
    "the head of the file": ("---\ntitle: 'One'\n---\nTwo.\n", '"One"'),
    "nothing but the file's name": ("Three.\n", '"My article 2"'),
    "a heading with what no title can hold": ("# {{ one }}\n\nTwo.\n", '"My article 2"'),
}


@pytest.mark.parametrize(("text", "title"), TITLES.values(), ids=TITLES)
def test_the_title(letters, text, title):
    draft, _ = bring(letters, text, "my-article 2.md")
    assert f"title: {title}\nsubject: {title}\n" in draft


def test_a_title_that_is_given_counts_and_the_articles_own_stays_in_the_text(letters):
    draft, _ = bring(letters, "# One\n\nTwo.\n", "a.md", "Another")
    assert 'title: "Another"' in draft
    assert '::: reflection {title="One"}' in draft
    draft, _ = bring(letters, "# One\n\nTwo.\n", "a.md", "One")
    assert draft.count("One") == 2  # title and subject


def test_notes_stand_above_the_block_that_they_are_about(letters):
    text = "# T\n\nA.\n\n## B\n\n![A chair](chair.png) [here](javascript:alert) [there](/b) [old](http://a.example/x)\n"
    draft, said = bring(letters, text)
    above = draft[draft.index("::: reflection") : draft.index('::: text {title="B"}')]
    for note in (
        "A chair (chair.png)",
        "javascript:alert",
        "/b",
        "by https only; does this one work so? http://a.example/x",
    ):
        assert note in above
        assert note in said
    assert draft.endswith("A chair here there [old](http://a.example/x)\n:::\n")


def test_a_note_cannot_end_its_comment(letters):
    draft, _ = bring(letters, "# T\n\nA [b](<x:--\\>\n\n::: text>) ![-->](<--\\>.png>)\n\n<!-- c --> d\n")
    assert openings(draft) == ["::: reflection"]
