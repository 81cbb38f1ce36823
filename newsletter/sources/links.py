"""Whether the links of letters lead anywhere: asked politely, and not again what was there a moment ago."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import sleep
from urllib.parse import urlsplit

from newsletter.errors import NewsletterError
from newsletter.sources.aside import FOLDER, put_aside
from newsletter.sources.causes import UNKNOWN
from newsletter.sources.fetch import Fetched, Fetcher
from newsletter.sources.files import Workspace

_NAME = "links.json"
HOSTS_AT_ONCE = 8
PAUSE_S = 0.3  # between two questions to one host
FRESH = timedelta(hours=24)  # what was there is believed to be there for so long; what was not is asked again
_GONE = (404, 410)
# They do not tell a program what they would tell a person: sign in, no robots, too many questions, no such method.
_NOT_FOR_US = (401, 403, 405, 406, 418, 429, 451, 999)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of an address: "" in `why` if it is there; `gone` if it is certain that nobody finds it."""

    why: str = ""
    gone: bool = False


def ask(
    urls: Iterable[str],
    *,
    fetcher: Fetcher,
    files: Workspace,
    now: datetime,
    done: Callable[[int], None] = lambda _more: None,
    pause_s: float = PAUSE_S,
) -> dict[str, Answer]:
    """What every one of *urls* answers; *done* is told how many more are."""
    seen = _remembered(files, now)
    answers = {url: Answer() for url in urls if url in seen}
    done(len(answers))
    hosts: dict[str, list[str]] = defaultdict(list)
    for url in dict.fromkeys(urls):
        if url not in answers:
            hosts[urlsplit(url).netloc].append(url)

    def one_host(addresses: list[str]) -> dict[str, Answer]:
        found = {}
        for number, url in enumerate(addresses):
            sleep(pause_s if number else 0)
            found[url] = judge(fetcher.look(url))
            done(1)
        return found

    with ThreadPoolExecutor(HOSTS_AT_ONCE) as pool:
        for host in as_completed([pool.submit(one_host, addresses) for addresses in hosts.values()]):
            answers |= host.result()
    there = {url: now.isoformat() for url, answer in answers.items() if not answer.why}
    _remember(files, {**there, **{url: at.isoformat() for url, at in seen.items()}})
    return answers


def judge(found: Fetched) -> Answer:
    """Whether what was fetched says that the page is there."""
    if found.failed:
        return Answer(why=found.failed, gone=found.failed == UNKNOWN)
    if found.status in _GONE:
        return Answer(why=f"it answers {found.status}: there is no such page", gone=True)
    if found.status in _NOT_FOR_US or found.status < 400:
        return Answer()
    return Answer(why=f"it answers {found.status}")


def _remembered(files: Workspace, now: datetime) -> Mapping[str, datetime]:
    """What was there not long ago. A memory that is missing or broken is an empty one."""
    try:
        told = json.loads(files.optional(f"{FOLDER}/{_NAME}") or "{}")
        times = {str(url): datetime.fromisoformat(at) for url, at in told.items()}
        return {url: at for url, at in times.items() if timedelta(0) <= now - at < FRESH}
    except (ValueError, TypeError, AttributeError, NewsletterError):
        return {}


def _remember(files: Workspace, there: Mapping[str, str]) -> None:
    put_aside(files, _NAME, json.dumps(dict(sorted(there.items())), indent=1).encode())
