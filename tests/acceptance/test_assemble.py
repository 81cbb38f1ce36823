"""From an empty Thursday to a draft: what is chosen, why, and what nobody has to fear."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from newsletter.app.assembling import Assembling
from newsletter.app.letters import Letters
from newsletter.app.newsletter import Newsletter
from newsletter.settings.read import read_settings
from newsletter.usecases.assemble import Assembled
from tests.acceptance.workplace import Workplace
from tests.contract.sources.stranger import Stranger, answer
from tests.shelf import Shelf, Step, steps

FIRST = date(2027, 1, 4)
THURSDAY = "2026-11-26T10:00:00+00:00"


@pytest.fixture
def started(workplace: Workplace) -> Workplace:
    """A new newsletter with two letters, on the last Thursday of November."""
    workplace.done("init", str(workplace.root))
    for letter in (workplace.root / "issues").glob("2026-12-*.md"):
        letter.unlink()
    workplace.now = THURSDAY
    return workplace


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A library of twelve blocks of every kind."""
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture(scope="module")
def year(shelf: Shelf) -> dict[date, Assembled]:
    """A letter for each Monday of a year, from that library."""
    return shelf.year(FIRST)


@pytest.fixture(scope="module")
def choices(shelf: Shelf, year: dict[date, Assembled]) -> list[Step]:
    return list(steps(shelf, year))


# A year of Mondays


def test_no_block_comes_again_while_one_that_nobody_has_seen_fits(choices: list[Step]) -> None:
    again = [step for step in choices if step.used_before]
    assert len(again) > 200
    # What was written for the week may come again, a season or a year later: that is what it was written for.
    assert [step for step in again if step.fresh and step.chosen not in step.written_for] == []
    assert [step for step in again if step.fresh & step.written_for] == []


def test_no_block_comes_again_soon_while_anything_has_rested(choices: list[Step]) -> None:
    assert [step for step in choices if step.rested and step.chosen not in step.rested] == []


def test_every_week_of_an_observance_gets_what_was_written_for_it(choices: list[Step]) -> None:
    asked = [step for step in choices if step.written_for]
    assert len(asked) >= 7 * 6
    assert [step for step in asked if step.chosen not in step.written_for] == []


def test_all_blocks_get_their_turn(shelf: Shelf, choices: list[Step]) -> None:
    used = Counter(step.chosen for step in choices)
    alone = {key for key in shelf.observances if key[0] not in {"steps", "learn"}}  # those two share a step
    assert alone <= used.keys()
    general = [count for (kind, name), count in used.items() if kind == "quote" and not shelf.observances[kind, name]]
    assert max(general) - min(general) <= 3


def test_the_same_repository_makes_the_same_bytes(
    shelf: Shelf, year: dict[date, Assembled], tmp_path_factory: pytest.TempPathFactory
) -> None:
    again = Shelf(tmp_path_factory.mktemp("again"))
    again.year(FIRST, weeks=12)
    assert again.letters().items() <= shelf.letters().items()
    assert len(again.letters()) == 12
    assert len(shelf.letters()) == len(year) == 52


def test_an_assembled_letter_can_be_approved_as_it_is(shelf: Shelf, year: dict[date, Assembled]) -> None:
    with Newsletter(read_settings(shelf.root, {})) as newsletter:
        letters = Letters(newsletter)
        for day in (FIRST, date(2027, 3, 8), date(2027, 6, 14), date(2027, 12, 6)):
            assert letters.check(year[day].issue_id).problems == (), day


# From Thursday to a draft


def test_a_draft_is_made_of_what_fits_the_week_and_nothing_is_wrong_with_it(started: Workplace) -> None:
    said = started.done("assemble", "--week", "2026-W50", "--json")
    path = started.root / said.data["path"]
    assert path.name == "2026-12-07-the-second-invitation.md"
    first = said.data["blocks"][0]
    assert (first["kind"], first["block"], first["observance"]) == ("quote", "rights-in-small-coin", "human-rights-day")
    text = path.read_text()
    assert '::: quote {by="Amina Mfano" role="bus driver" from="rights-in-small-coin"}' in text
    assert 'title: "The second invitation"\n' in text
    assert '::: reflection {from="the-second-invitation"}' in text  # its title is the letter's now
    assert "- 10 December: Human Rights Day (https://www.un.org/en/observances/human-rights-day)." in text
    checked = started.done("check", said.data["issue"])
    assert checked.stdout == ""
    letter = started.done("render", said.data["issue"], "--text").stdout
    assert "Amina Mfano" in letter
    assert "Human Rights Day" not in letter  # that was for the editor


def test_explain_tells_why_and_who_came_next(started: Workplace) -> None:
    said = started.done("assemble", "--date", "2026-12-07", "--explain")
    table = " ".join(said.stdout.split())
    assert "rights-in-small-coin written for Human Rights Day" in table
    assert "next would have been" in table
    assert "newsletter check 2026-12-07-the-second-invitation" in said.stderr


def test_without_a_day_it_is_the_next_one_and_a_letter_that_is_there_is_never_touched(started: Workplace) -> None:
    issues = started.root / "issues"
    before = {path: path.read_bytes() for path in issues.glob("*.md")}
    said = started.run("assemble")
    assert said.exit_code == 1
    assert "there is a letter for 2026-11-30 already" in said.stderr
    assert "delete it first" in said.stderr
    assert {path: path.read_bytes() for path in issues.glob("*.md")} == before
    (issues / "2026-11-30-the-quiet-half-of-the-room.md").unlink()
    assert started.done("assemble").stdout.startswith("issues/2026-11-30-")


def test_what_an_editor_kept_counts_as_used_and_what_was_deleted_does_not(started: Workplace) -> None:
    first = started.done("assemble", "--date", "2026-12-14", "--json").data
    path = started.root / first["path"]
    chosen = {each["kind"]: each["block"] for each in first["blocks"]}
    text = path.read_text()
    quote = text[text.index("::: quote") : text.index("::: reflection")]
    kept = text.replace(quote, "").replace("Ask early.", "Ask, and early.")
    path.write_text(kept)
    second = {
        each["kind"]: each["block"]
        for each in started.done("assemble", "--date", "2026-12-21", "--json").data["blocks"]
    }
    assert second["quote"] == chosen["quote"]  # no reader has seen it
    assert second["action"] != chosen["action"]
    assert second["reflection"] != chosen["reflection"]


def test_a_quiet_day_gets_no_letter(started: Workplace) -> None:
    settings = started.root / "newsletter.toml"
    settings.write_text(settings.read_text().replace("[schedule]", '[schedule]\nquiet = ["2026-12-28"]'))
    said = started.run("assemble", "--date", "2026-12-28")
    assert said.exit_code == 1
    assert "is a quiet day" in said.stderr


@pytest.mark.parametrize(
    "words", [("--week", "2026-W54"), ("--week", "December"), ("--week", "2026-W50", "--date", "2026-12-07")]
)
def test_a_week_that_is_none_is_a_usage_error(started: Workplace, words: tuple[str, ...]) -> None:
    assert started.run("assemble", *words).exit_code == 2


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
def test_a_year_that_no_letter_is_sent_in_is_named(started: Workplace, day: str) -> None:
    said = started.run("assemble", "--date", day)
    assert said.exit_code == 1
    assert "is none to send in" in said.stderr


def test_letters_on_fridays_are_for_the_week_from_friday_on(started: Workplace) -> None:
    settings = started.root / "newsletter.toml"
    settings.write_text(settings.read_text().replace("[schedule]", '[schedule]\nweekday = "friday"'))
    said = started.done("assemble", "--week", "2026-W49", "--json")
    assert said.data["issue"].startswith("2026-12-04-")
    assert said.data["blocks"][0]["observance"] == "human-rights-day"  # the Thursday after


# What the library lacks


def test_what_the_library_lacks_is_said_and_leaves_a_place_for_it(started: Workplace) -> None:
    for path in (started.root / "issues" / "library" / "quote").glob("*.md"):
        path.unlink()
    said = started.done("assemble", "--date", "2027-01-25", "--json")
    assert said.data["blocks"][0]["block"] is None
    assert said.data["lacks"][0] == ("quote: nothing prepared for this week; put a block into issues/library/quote/")
    assert any("holocaust-remembrance-day" in each for each in said.data["lacks"])
    assert "<!-- quote: nothing prepared" in (started.root / said.data["path"]).read_text()
    assert started.done("check", said.data["issue"]).stdout == ""


def test_an_empty_library_makes_no_letter(started: Workplace) -> None:
    for path in (started.root / "issues" / "library").glob("*/*.md"):
        path.unlink()
    said = started.run("assemble", "--date", "2026-12-07")
    assert said.exit_code == 1
    assert "newsletter new" in said.stderr
    assert list((started.root / "issues").glob("2026-12-07*")) == []


def test_a_block_that_cannot_be_read_is_left_out_and_named_with_its_line(started: Workplace) -> None:
    path = started.root / "issues" / "library" / "quote" / "broken.md"
    path.write_text("---\nobservances: human-rigths-day\n---\n\n::: quote {by=x}\nWords.\n:::\n")
    said = started.done("assemble", "--date", "2026-12-07")
    assert "newsletter blocks" in said.stderr
    listed = started.run("blocks")
    assert listed.exit_code == 3
    assert "issues/library/quote/broken.md:2: error: no observance is called 'human-rigths-day'" in listed.stdout
    assert "did you mean 'human-rights-day'?" in listed.stdout
    machine = started.run("blocks", "--json")
    assert machine.data["problems"][0]["at"] == "issues/library/quote/broken.md:2"


def test_blocks_says_what_was_used_and_what_is_next(started: Workplace) -> None:
    used = started.done("assemble", "--date", "2026-12-07", "--json").data
    stock = {(each["kind"], each["block"]): each for each in started.done("blocks", "--json").data["blocks"]}
    assert len(stock) >= 8 * 3
    for each in used["blocks"]:
        assert stock[each["kind"], each["block"]]["last_used"] == "2026-12-07"
    lift = stock["reflection", "the-lift-was-out"]
    assert (lift["last_used"], lift["fits_next"], lift["for"]) == (
        None, "2026-11-30", "International Day of Persons with Disabilities",
    )  # fmt: skip
    assert stock["quote", "rights-in-small-coin"]["for"] == "Zero Discrimination Day"
    shown = started.done("blocks").stdout
    assert "the-lift-was-out" in shown
    assert "2026-12-07" in shown


# The sample library


def test_the_sample_library_has_three_of_everything_and_nothing_is_wrong_with_it(started: Workplace) -> None:
    kinds = Counter(each["kind"] for each in started.done("blocks", "--json").data["blocks"])
    assert min(kinds.values()) >= 3
    assert kinds.keys() >= {
        "quote",
        "reflection",
        "steps",
        "learn",
        "action",
        "spread-the-word",
        "keep-going",
        "subscribe",
    }
    for number in range(4):
        day = date.fromordinal(date(2026, 12, 7).toordinal() + 7 * number)
        issue = started.done("assemble", "--date", str(day), "--json").data["issue"]
        assert started.done("check", issue).stdout == "", issue


# Feeds


class Fed:
    markdown: str | None = (
        '::: feed {title="New on our pages"}\n- [The empty chair](https://example.org/chair) On meetings.\n:::\n'
    )
    notes = ("the feed 'ours' --> did not answer",)


class Silent:
    markdown = None
    notes = ()


def cook_by(root: Path, recipe: str) -> None:
    settings = root / "newsletter.toml"
    text, count = re.subn(r"(?m)^blocks = .*$", f"blocks = {recipe}", settings.read_text())
    assert count == 1
    settings.write_text(text)


def assembled(root: Path, recipe: str, feed: type, day: date = date(2026, 12, 7)) -> tuple[Assembled, list[object]]:
    cook_by(root, recipe)
    asked: list[object] = []

    def fill(since: date, tags: list[str]) -> object:
        asked.extend((since, tags))
        return feed()

    with Newsletter(read_settings(root, {})) as newsletter:
        return Assembling(newsletter, fill_feed=fill).assemble(day)[1], asked


def test_a_feed_is_asked_for_what_is_new_and_its_notes_reach_the_editor_alone(started: Workplace) -> None:
    made, asked = assembled(started.root, '["reflection", "feed", "action"]', Fed)
    assert asked == [date(2026, 11, 30), ["faith", "rights"]]
    assert made.notes == Fed.notes
    assert "<!-- the feed 'ours' -- > did not answer -->" in made.text
    assert started.done("check", made.issue_id).stdout == ""
    letter = started.done("render", made.issue_id).stdout
    assert "The empty chair" in letter
    assert "did not answer" not in letter


def test_a_feed_with_nothing_new_leaves_nothing(started: Workplace) -> None:
    made, _ = assembled(started.root, '["feed", "action"]', Silent)
    assert "feed" not in made.text
    assert started.done("check", made.issue_id).stdout == ""


def test_real_feeds_fill_a_draft_and_a_dead_one_is_told_to_the_editor(started: Workplace) -> None:
    (started.root / "issues" / "2026-11-30-the-quiet-half-of-the-room.md").unlink()
    cook_by(started.root, '["reflection", "feed"]')
    with Stranger().serving() as stranger:
        stranger.pages["/alive"] = answer(
            b"<rss version='2.0'><channel><title>Notes</title><item><title>About chairs</title>"
            b"<link>https://example.org/chairs</link><pubDate>Wed, 25 Nov 2026 08:00:00 GMT</pubDate></item>"
            b"</channel></rss>"
        )
        settings = started.root / "newsletter.toml"
        feeds = [
            f'[[feeds]]\nname = "{name}"\nurl = "{stranger.url}/{name}"\nloopback = true\n'
            for name in ("alive", "dead")
        ]
        settings.write_text("\n".join([settings.read_text(), *feeds]))
        said = started.done("assemble", "--json")
    text = (started.root / said.data["path"]).read_text()
    assert '::: feed {title="alive"}' in text
    assert "About chairs" in text
    (note,) = said.data["notes"]
    assert note.startswith("dead: ")
    assert f"<!-- {note} -->" in text
    assert started.done("check", said.data["issue"]).stdout == ""


# Recipes


@pytest.mark.parametrize(
    ("recipe", "what"),
    [
        ('["qoute"]', "no block kind 'qoute'"),
        ('["action", "quote", "action"]', "a letter has one 'action', and the recipe has two"),
        ('["feed or learn"]', "feeds are filled, not chosen"),
        ("[]", "is not a list of kinds"),
        ('["Quote, action"]', "is not a list of kinds"),
        ('"quote"', "is not a list of kinds"),
    ],
)
def test_a_wrong_recipe_is_named(started: Workplace, recipe: str, what: str) -> None:
    cook_by(started.root, recipe)
    for words in (("assemble", "--date", "2026-12-07"), ("new", "A title", "--date", "2026-12-07")):
        said = started.run(*words)
        assert said.exit_code == 2
        assert "newsletter.toml [recipe] blocks" in said.stderr
        assert what in said.stderr


def test_a_kind_may_come_twice_with_different_blocks_and_new_follows_the_recipe(started: Workplace) -> None:
    made, _ = assembled(started.root, '["learn or steps", "learn", "text"]', Silent)
    names = [each.best.prepared.key for each in made.choices if each.best]
    assert len(set(names)) == 2
    path = started.done("new", "Mine", "--date", "2027-01-04").stdout.strip()
    text = (started.root / path).read_text()
    assert [line for line in text.split("\n") if line.startswith("::: ")] == [
        '::: learn {title=""}',
        '::: learn {title=""}',
        "::: text",
    ]


# Calendars of one's own


def test_a_calendar_of_ones_own_adds_and_replaces_and_regions_narrow(started: Workplace) -> None:
    ours = started.root / "templates" / "ours.toml"
    ours.write_text(
        '[human-rights-day]\nname = "Rights, our way"\non = "9 december"\nregion = "everywhere"\n'
        'source = "https://example.org/rights"\n\n[founding-day]\nname = "Our founding day"\non = "11 december"\n'
        'region = "Berlin"\nsource = "https://example.org/us"\n'
    )
    settings = started.root / "newsletter.toml"
    files = '[calendar]\nfiles = ["templates/calendar.toml", "templates/ours.toml"]\nregions = ["Berlin"]\n'
    settings.write_text(f"{settings.read_text()}\n{files}")
    weeks = started.done("calendar", "--json", "--weeks", "12").data
    names = [each["name"] for each in weeks[2]["observances"]]
    assert names == ["Rights, our way", "Our founding day", "Hanukkah"]
    every = {each["region"] for week in weeks for each in week["observances"]}
    assert every == {"everywhere", "Berlin"}
    started.done("blocks")  # that a block names an observance of a region left out is no mistake


def test_a_wrong_calendar_is_named_with_its_line(started: Workplace) -> None:
    calendar = started.root / "templates" / "calendar.toml"
    calendar.write_text(calendar.read_text() + '\n[ours]\nname = "Ours"\non = "31 june"\n')
    last = calendar.read_text().count("\n")
    for command in (("assemble", "--date", "2026-12-07"), ("calendar",), ("blocks",)):
        said = started.run(*command)
        assert said.exit_code == 2
        assert f"templates/calendar.toml:{last - 2}: 'ours' has no 'region' (and 2 more)" in said.stderr
    calendar.unlink()
    assert "there is no such calendar" in started.run("calendar").stderr
