"""The recipe of newsletter.toml, as steps of kinds that there are."""

from __future__ import annotations

from newsletter.content.library import KINDS
from newsletter.content.suggest import did_you_mean
from newsletter.errors import SettingsError
from newsletter.settings.read import FILE, Settings
from newsletter.usecases.assemble import FEED

_AT = f"{FILE} [recipe] blocks"


def recipe_of(settings: Settings) -> tuple[tuple[str, ...], ...]:
    """The kinds to choose from, step by step. Raises SettingsError."""
    steps = tuple(tuple(step.split(" or ")) for step in settings.recipe)
    kinds = [kind for step in steps for kind in step]
    for kind in kinds:
        if kind not in KINDS:
            hint = did_you_mean(kind, KINDS, otherwise="the kinds are")
            raise SettingsError(f"no block kind {kind!r}", at=_AT, hint=hint)
        if KINDS[kind].once and kinds.count(kind) > 1:
            raise SettingsError(
                f"a letter has one {kind!r}, and the recipe has two", at=_AT, hint="take one of them out"
            )
    if any(FEED in step and len(step) > 1 for step in steps):
        hint = 'give it a step of its own: "feed"'
        raise SettingsError("feeds are filled, not chosen", at=_AT, hint=hint)
    return steps
