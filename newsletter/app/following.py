"""The links of letters, followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from newsletter.app.newsletter import Newsletter
from newsletter.content.issue import Problem
from newsletter.rendering.checks.reached import Reached
from newsletter.rendering.checks.reading import SOMEBODY, read
from newsletter.rendering.checks.table import check_links
from newsletter.sources.fetch import Fetcher
from newsletter.sources.links import ask
from newsletter.usecases.build import Built

AGENT = "newsletter-check"


class Following:
    """Follows links of the letters of one newsletter, each address once."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Work for *newsletter*."""
        self._newsletter = newsletter

    def addresses(self, letters: Sequence[Built]) -> list[str]:
        """What the *letters* link to, each address once.

        Links of our own pages are left out, since a letter is written before its page is there, and so are those
        that hold a reader's own value.
        """
        urls = {link.url for letter in letters for link in read(letter.issue).links}
        return sorted(url for url in urls if self._is_elsewhere(url))

    def problems(self, letters: Sequence[Built], done: Callable[[int], None]) -> list[list[Problem]]:
        """What is wrong with the links of each of the *letters*; *done* is told how many more were followed."""
        here = self._newsletter
        answers = ask(
            self.addresses(letters),
            fetcher=Fetcher(agent=AGENT),
            files=here.workspace,
            now=here.clock(),
            done=done,
        )
        gone = {url: answer.why for url, answer in answers.items() if answer.gone}
        unsure = {url: answer.why for url, answer in answers.items() if not answer.gone}
        off = here.settings.checks_off
        return [
            check_links(Reached(reading=read(letter.issue), gone=gone, unsure=unsure), off=off) for letter in letters
        ]

    def _is_elsewhere(self, url: str) -> bool:
        site = self._newsletter.settings.site_url
        ours = url == site or url.startswith(f"{site}/")
        return url.startswith(("https://", "http://")) and not ours and SOMEBODY not in url
