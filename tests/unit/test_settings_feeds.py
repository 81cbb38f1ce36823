"""[[feeds]] of newsletter.toml: every key has its place, and a wrong one is named without showing an address."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import SettingsError
from newsletter.settings.feeds import FEED, MAX_FEEDS, Feed, Pick
from newsletter.settings.keys import REQUIRED
from newsletter.settings.read import read_settings
from tests.unit.letters import ROOT
from tests.unit.test_docs import _default, page, rows, section

BARE = 'name = "Ally notes"\nurl = "https://example.org/feed?key=hunter2"\n'


def feeds(root: Path, *tables: str) -> tuple[Feed, ...]:
    start = (ROOT / "newsletter.toml").read_text()
    (root / "newsletter.toml").write_text(start + "".join(f"\n[[feeds]]\n{table}" for table in tables))
    return read_settings(root, {}).feeds


def test_a_feed_needs_a_name_and_an_address(tmp_path: Path) -> None:
    assert feeds(tmp_path) == ()
    (feed,) = feeds(tmp_path, BARE)
    assert feed == Feed(
        name="Ally notes", url="https://example.org/feed?key=hunter2", tags=(), pick=Pick(), loopback=False
    )
    assert "hunter2" not in repr(feed)


def test_a_feed_says_which_letters_it_is_for_and_what_they_take(tmp_path: Path) -> None:
    rule = 'tags = ["work"]\npick = { latest = 5, per_source = 1, tags = ["listening", "women"] }\nloopback = true\n'
    (feed,) = feeds(tmp_path, BARE + rule)
    assert feed.tags == ("work",)
    assert feed.pick == Pick(latest=5, per_source=1, tags=("listening", "women"))
    assert feed.loopback


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('name = "A"', "[[feeds]] 1: 'url' is missing"),
        ('url = "https://example.org/"', "[[feeds]] 1: 'name' is missing"),
        (BARE + 'adress = "x"', "[[feeds]] 1: unknown key 'adress'"),
        (f'name = "{"x" * 81}"\nurl = "https://example.org/"', "at most 80 characters"),
        (BARE + "pick = { latest = 0 }", "pick: {'latest': 0} is not a rule such as"),
        (BARE + "pick = { newest = 2 }", "is not a rule such as"),
        (BARE + "pick = { per_source = true }", "is not a rule such as"),
        (BARE + 'pick = { tags = "women" }', "is not a rule such as"),
        (BARE + "pick = 3", "is not a rule such as"),
        (BARE + 'tags = "work"', "is not a list of words"),
        (BARE + 'loopback = "yes"', "is not true or false"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        feeds(tmp_path, table)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd?hunter2",
        "ftp://example.org/hunter2",
        "https://user:hunter2@example.org/feed",
        "https://example.org\\\\@hunter2.example.org/",
        "https:///hunter2",
        "https://example.org/feed#hunter2",
        "https://example.org/hunter2 two",
        "https://exämple.org/hunter2",
        "https://example.org/hunter2" + "x" * 1000,
    ],
)
def test_a_wrong_address_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        feeds(tmp_path, f'name = "A"\nurl = "{url}"')
    assert "[[feeds]] 1 url: the value is not an http:// or https:// address" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_two_feeds_have_two_names_and_there_are_not_too_many(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a second feed called 'Ally notes'"):
        feeds(tmp_path, BARE, BARE)
    with pytest.raises(SettingsError, match=f"{MAX_FEEDS + 1} feeds"):
        feeds(tmp_path, *[BARE] * (MAX_FEEDS + 1))


def test_feeds_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "newsletter.toml").write_text('feeds = ["https://example.org/"]\n')
    with pytest.raises(SettingsError, match="feeds is no list of tables"):
        read_settings(tmp_path, {})


def test_every_key_is_in_the_guide_with_its_default() -> None:
    told = {row[0]: row[1] for row in rows(section(page("docs/guide.md"), "## Feeds")) if len(row) == 3}
    plain = {name: key.default for name, key in FEED.items() if name != "pick"}
    assert told == {
        "`name`": _default(REQUIRED),
        "`url`": _default(REQUIRED),
        **{f"`{name}`": _default(default) for name, default in plain.items() if default is not REQUIRED},
        "`pick`": f"`{{ latest = {Pick().latest} }}`",
    }
