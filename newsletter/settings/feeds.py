"""The feeds of newsletter.toml: one table of keys for each `[[feeds]]`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from newsletter.settings import values
from newsletter.settings.keys import REQUIRED, Key

MAX_FEEDS = 30
LATEST = 3  # entries of one feed in one letter, unless it says otherwise
_ADDRESS = re.compile(r"https?://[^\s/?#@\\]+(?:[/?][^\s#]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """The editor's rule: the `latest` so many entries, so many from each site, those with one of the tags."""

    latest: int = LATEST
    per_source: int = 0  # 0 is no limit
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed that letters take from."""

    name: str
    url: str = field(repr=False)  # some carry a key in it
    tags: tuple[str, ...]  # the letters it is for; for all, if there are none
    pick: Pick
    loopback: bool


def address(value: object) -> str:
    text = values.one_text(value)
    if not text.isascii() or len(text) > 1000 or not _ADDRESS.fullmatch(text):
        raise ValueError("an http:// or https:// address without a user's name and without #")
    return text


def name(value: object) -> str:
    if len(text := values.one_text(value)) > 80:
        raise ValueError("a text of at most 80 characters")
    return text


def tags(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
        raise ValueError('a list of words, e.g. ["listening"]')
    return tuple(each.strip() for each in value)


def pick(value: object) -> Pick:
    wrong = 'a rule such as { latest = 3, per_source = 1, tags = ["listening"] }, its numbers from 1 to 20'
    if not isinstance(value, dict) or not {*value} <= {"latest", "per_source", "tags"}:
        raise ValueError(wrong)
    some = values.whole(1, 20)
    try:
        return Pick(
            latest=some(value.get("latest", LATEST)),
            per_source=some(value["per_source"]) if "per_source" in value else 0,
            tags=tags(value.get("tags", [])),
        )
    except ValueError:
        raise ValueError(wrong) from None


FEED: dict[str, Key] = {
    "name": Key(name, "What readers see above its entries.", REQUIRED),
    "url": Key(address, "Where the feed is.", REQUIRED, secret=True),
    "tags": Key(tags, "Which letters it is for; without any, it is for every letter.", ()),
    "pick": Key(pick, "What a letter takes of what is new: latest, per_source, tags.", Pick()),
    "loopback": Key(values.yes_or_no, "Whether it may come from this very machine.", default=False),
}
