"""What is wrong with a theme: everything that inlining or a mail client would ruin, with file, line and reason."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from newsletter.content.issue import Problem, Span
from newsletter.rendering import theme_markup, theme_palette, theme_styles
from newsletter.rendering.theme_files import Lint, ThemeFiles

LINTS: tuple[Lint, ...] = (*theme_styles.LINTS, *theme_markup.LINTS, *theme_palette.LINTS)


def lint_theme(name: str, files: Mapping[str, str]) -> list[Problem]:
    """Everything wrong with the theme *name*, whose *files* (name → text) `read_theme` has read."""
    return list(_lint(name, tuple(sorted(files.items()))))


@lru_cache(maxsize=8)  # one theme, and as many letters as there are
def _lint(name: str, files: tuple[tuple[str, str], ...]) -> tuple[Problem, ...]:
    theme = ThemeFiles(dict(files))
    return tuple(
        Problem(
            at=Span(f"templates/{name}/{found.file}", found.line),
            what=found.what,
            hint=found.hint,
            level=lint.level,
            check=lint.id,
        )
        for lint in LINTS
        for found in lint.find(theme)
    )
