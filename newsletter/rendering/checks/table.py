"""The table of all rules, and their use."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from newsletter.content.issue import Problem
from newsletter.content.suggest import did_you_mean
from newsletter.errors import SettingsError
from newsletter.rendering.checks import dates, envelope, links, page, pictures, reached, structure, words
from newsletter.rendering.checks.page import Facts
from newsletter.rendering.checks.reached import Reached
from newsletter.rendering.checks.reading import Reading
from newsletter.rendering.checks.rule import Check, What

ENOUGH = 20  # findings of one kind are told one by one; of what was pasted by mistake there may be thousands
_SWITCHES = "newsletter.toml [checks] off"

OF_THE_TEXT: tuple[Check[Reading], ...] = (
    *envelope.OF_THE_TEXT,
    *structure.CHECKS,
    *words.CHECKS,
    *links.CHECKS,
    *pictures.CHECKS,
    *dates.CHECKS,
)
OF_THE_PAGE: tuple[Check[Facts], ...] = (*envelope.OF_THE_PAGE, *page.CHECKS)
CHECKS: tuple[Check[Reading] | Check[Facts] | Check[Reached], ...] = (*OF_THE_TEXT, *OF_THE_PAGE, *reached.CHECKS)
BY_ID = {check.id: check for check in CHECKS}


def refuse_switches(off: Collection[str]) -> None:
    """Raise SettingsError if *off* names what is no check, or one that stays on whatever we would like."""
    for name in off:
        check = BY_ID.get(name)
        if check is None:
            hint = did_you_mean(name, BY_ID, otherwise="see: newsletter check --list; there are")
            raise SettingsError(f"there is no check {name!r}", at=_SWITCHES, hint=hint)
        if check.firm:
            raise SettingsError(f"{name!r} stays on: it objects to {check.about}", at=_SWITCHES, hint=check.fix)


def check_text(reading: Reading, *, off: Collection[str] = ()) -> list[Problem]:
    """Everything that rules object to in the letter as it was written, but for those that are *off*."""
    return list(_run(OF_THE_TEXT, reading, off))


def check_page(facts: Facts, *, off: Collection[str] = ()) -> list[Problem]:
    """Everything that rules object to in the compiled letter, but for those that are *off*."""
    return list(_run(OF_THE_PAGE, facts, off))


def check_links(reached_links: Reached, *, off: Collection[str] = ()) -> list[Problem]:
    """Everything that rules object to in links that were followed, but for those that are *off*."""
    return list(_run(reached.CHECKS, reached_links, off))


def _run(checks: tuple[Check[What], ...], what: What, off: Collection[str]) -> Iterator[Problem]:
    for check in checks:
        if check.id in off:
            continue
        everything = list(check.find(what))
        for found in everything[:ENOUGH]:
            hint = found.hint or check.fix
            yield Problem(at=found.at, what=found.what, hint=hint, level=check.level, check=check.id)
        if more := everything[ENOUGH:]:
            says = f"and {len(more):,} more of this kind, from here on"
            yield Problem(at=more[0].at, what=says, hint=check.fix, level=check.level, check=check.id)
