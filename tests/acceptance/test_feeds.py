"""Feeds in a newsletter: what they would give is listed, a letter is filled, and a dead one is a note."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.app.feeding import Feeding, Filled
from newsletter.app.newsletter import Newsletter
from newsletter.settings.read import read_settings
from tests.acceptance.workplace import Workplace
from tests.contract.sources.stranger import Stranger, answer
from tests.unit import letters

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
SINCE = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)  # eight o'clock in Berlin, when the sample letter was due


def item(name: str, *, days_ago: int = 1, more: str = "", site: str = "example.org") -> str:
    date = f"{NOW - timedelta(days=days_ago):%a, %d %b %Y %H:%M:%S} GMT"
    link = f"<link>https://{site}/{name}</link>"
    return f"<item><guid>{name}</guid><title>About {name}</title>{link}<pubDate>{date}</pubDate>{more}</item>"


def rss(*items: str) -> bytes:
    return f"<rss version='2.0'><channel><title>Notes</title>{''.join(items)}</channel></rss>".encode()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with Stranger().serving() as here:
        yield here


def with_feeds(workplace: Workplace, stranger: Stranger, **feeds: str) -> Workplace:
    """A newsletter with these feeds: their names, and what else stands under [[feeds]]."""
    workplace.done("init", str(workplace.root))
    workplace.now = NOW.isoformat()
    settings = workplace.root / "newsletter.toml"
    for name, more in feeds.items():
        table = f'[[feeds]]\nname = "{name}"\nurl = "{stranger.url}/{name}?key=hunter2"\nloopback = true\n{more}\n'
        settings.write_text(f"{settings.read_text()}\n{table}")
    return workplace


def fill(workplace: Workplace, *tags: str, since: datetime = SINCE) -> Filled:
    settings = read_settings(workplace.root, {"NEWSLETTER_NOW": NOW.isoformat()})
    with Newsletter(settings) as newsletter:
        return Feeding(newsletter).fill(since, tags)


def test_a_letter_takes_what_is_new_of_each_feed(workplace: Workplace, stranger: Stranger) -> None:
    sentence = "<description>&lt;p&gt;Who speaks first decides what is heard by everyone. More.&lt;/p&gt;</description>"
    stranger.pages["/Notes?key=hunter2"] = answer(rss(item("chairs", more=sentence), item("old", days_ago=9)))
    stranger.pages["/Talks?key=hunter2"] = answer(rss(item("chairs"), item("walls", days_ago=2)))
    stranger.pages["/Quiet?key=hunter2"] = answer(rss(item("older", days_ago=30)))
    filled = fill(with_feeds(workplace, stranger, Notes="", Talks="", Quiet=""))
    assert filled == Filled(
        markdown='::: feed {title="Notes"}\n'
        "- **[About chairs](https://example.org/chairs)** Who speaks first decides what is heard by everyone.\n"
        ":::\n\n"
        '::: feed {title="Talks"}\n- **[About walls](https://example.org/walls)**\n:::\n',
        notes=(),
    )
    assert letters.built(filled.markdown or "").problems == ()


def test_each_feed_has_its_rule_and_its_letters(workplace: Workplace, stranger: Stranger) -> None:
    tag = "<category>Listening</category>"
    for name in ("Work", "Home", "All"):
        items = (item(f"{name}-{n}", more=tag if n % 2 else "", site=f"s{n // 3}.example") for n in range(9))
        stranger.pages[f"/{name}?key=hunter2"] = answer(rss(*items))
    with_feeds(
        workplace,
        stranger,
        Work='tags = ["Work"]\npick = { latest = 2, tags = ["listening"] }',
        Home='tags = ["home"]',
        All="pick = { latest = 9, per_source = 1 }",
    )
    found = fill(workplace, "work").markdown or ""
    assert [line.partition("]")[0] for line in found.split("\n") if line.startswith("- ")] == [
        f"- **[About {name}" for name in ("Work-1", "Work-3", "All-0", "All-3", "All-6")
    ]
    assert 'title="Home"' in (fill(workplace).markdown or "")


def test_a_dead_feed_is_a_note_and_the_letter_has_the_others(workplace: Workplace, stranger: Stranger) -> None:
    stranger.pages["/Alive?key=hunter2"] = answer(rss(item("chairs")))
    stranger.pages["/Broken?key=hunter2"] = answer(rss(item("x")), status=500)
    stranger.pages["/Mute?key=hunter2"] = answer(rss("<item><title>x</title><link>javascript:alert(1)</link></item>"))
    with_feeds(workplace, stranger, Broken="", Mute="", Alive="", Refused="")
    settings = workplace.root / "newsletter.toml"
    head, _, tail = settings.read_text().rpartition("loopback = true")
    settings.write_text(head + "loopback = false" + tail)
    filled = fill(workplace)
    assert "About chairs" in (filled.markdown or "")
    assert filled.notes == (
        "Broken: it answers 500",
        "Mute: none of its entries has a title and a link that a letter can show",
        "Refused: it leads to an address that is not public",
    )


def test_without_feeds_or_without_news_there_is_nothing(workplace: Workplace, stranger: Stranger) -> None:
    assert fill(with_feeds(workplace, stranger)) == Filled(markdown=None, notes=())
    assert not (workplace.root / ".newsletter").exists()
    stranger.pages["/Notes?key=hunter2"] = answer(rss(item("chairs")))
    assert fill(with_feeds(workplace, stranger, Notes=""), since=NOW).markdown is None


def test_a_memory_that_cannot_be_kept_is_a_note(workplace: Workplace, stranger: Stranger) -> None:
    stranger.pages["/Notes?key=hunter2"] = answer(rss(item("chairs")))
    with_feeds(workplace, stranger, Notes="")
    (workplace.root / ".newsletter").write_text("in the way")
    filled = fill(workplace)
    assert "About chairs" in (filled.markdown or "")
    (note,) = filled.notes
    assert note.startswith("what feeds gave could not be remembered: ")


def test_the_command_lists_what_each_feed_would_give_since_the_last_letter(
    workplace: Workplace, stranger: Stranger
) -> None:
    stranger.pages["/Notes?key=hunter2"] = answer(rss(item("chairs"), item("old", days_ago=5)))
    stranger.pages["/Gone?key=hunter2"] = answer(status=410)
    with_feeds(workplace, stranger, Notes='tags = ["work"]\npick = { per_source = 2 }', Gone="", Quiet="")
    stranger.pages["/Quiet?key=hunter2"] = answer(rss())
    said = workplace.done("feeds")
    assert said.stdout == (
        "New since Mon 23 Nov 2026 07:00 UTC\n\n"
        "Notes (127.0.0.1; letters about work; latest 3, 2 of each site)\n"
        "  Thu 26 Nov 2026 12:00 UTC  About chairs\n"
        "      https://example.org/chairs\n\n"
        "Gone (127.0.0.1; every letter; latest 3)\n"
        "  note: it answers 410, so it is not there any more\n\n"
        "Quiet (127.0.0.1; every letter; latest 3)\n"
        "  nothing new\n"
    )
    data = workplace.done("feeds", "--json").data
    assert data["since"] == "2026-11-23T07:00:00Z"
    assert data["notes"] == []
    assert [(feed["name"], feed["note"]) for feed in data["feeds"]] == [
        ("Notes", ""),
        ("Gone", "it answers 410, so it is not there any more"),
        ("Quiet", ""),
    ]
    assert data["feeds"][0]["entries"] == [
        {
            "title": "About chairs",
            "sentence": "",
            "link": "https://example.org/chairs",
            "at": "2026-11-26T12:00:00Z",
            "tags": [],
        }
    ]
    assert "hunter2" not in said.stdout + said.stderr + str(data)


def test_the_command_says_how_to_name_a_feed(workplace: Workplace, stranger: Stranger) -> None:
    said = with_feeds(workplace, stranger).done("feeds")
    assert said.stdout == "There are no feeds. Name some in newsletter.toml, each under a line [[feeds]].\n"


def test_without_a_letter_the_last_week_counts(workplace: Workplace, stranger: Stranger) -> None:
    with_feeds(workplace, stranger, Notes="")
    for letter in (workplace.root / "issues").glob("*.md"):
        letter.unlink()
    stranger.pages["/Notes?key=hunter2"] = answer(rss())
    assert workplace.done("feeds", "--json").data["since"] == "2026-11-20T12:00:00Z"
