"""Segments, wired: which there are, how many people they choose, and some of them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

from newsletter.app.newsletter import Newsletter
from newsletter.audience.predicate import Predicate
from newsletter.audience.segments import read_segments
from newsletter.audience.subscriber import Subscriber
from newsletter.errors import NotFound
from newsletter.sources.files import Workspace

FILE = "subscribers/segments.toml"


class Segmenting:
    """The segments of one newsletter."""

    def __init__(self, newsletter: Newsletter) -> None:
        """Read and ask for *newsletter*."""
        self._newsletter = newsletter

    def rules(self, name: str | None) -> Mapping[str, Predicate]:
        """The rules by name, or only the one called *name*. Raises NotFound, SettingsError."""
        files = self._newsletter.workspace
        found = read_segments(files.optional(FILE) or "", path=FILE, letters=known_letters(files))
        if name is None:
            return found
        if name not in found:
            near = get_close_matches(name, found, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(found)}"
            raise NotFound(f"no segment {name!r}", at=FILE, hint=hint)
        return {name: found[name]}

    def count(self, rule: Predicate) -> tuple[int, int]:
        """(people on the list, those of them who may be mailed now) that *rule* holds for."""
        from newsletter.store.segments import SqlSegments  # rules can be listed without a list

        return SqlSegments(self._newsletter.database).count(rule, now=self._newsletter.clock())

    def some(self, rule: Predicate, *, limit: int) -> list[Subscriber]:
        """The first *limit* people whom *rule* holds for and who may be mailed now."""
        from newsletter.store.segments import SqlSegments

        return SqlSegments(self._newsletter.database).some(rule, limit=limit, now=self._newsletter.clock())


def known_letters(files: Workspace) -> frozenset[str]:
    """The ids of all letters there are, and of those that were approved and are gone."""
    # issues/ID.approval.toml, and issues/series/SERIES/PART.approval.toml of the part SERIES.PART
    approved = (path.removesuffix(".approval.toml").split("/")[1:] for path in files.approvals())
    return frozenset([*files.letter_ids(), *(".".join(names[-2:]) for names in approved)])
