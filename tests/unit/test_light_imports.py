"""What a process does not need it does not load: help stays quick, and a sender at work stays small."""

from __future__ import annotations

import subprocess
import sys

import pytest

INLINING = ("premailer", "cssutils", "lxml", "requests", "markdown_it", "yaml")


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("newsletter.cli.main", (*INLINING, "jinja2", "sqlalchemy", "rich", "email_validator")),
        ("newsletter.cli.issue", ("sqlalchemy", "alembic", "rich", "email_validator")),
        ("newsletter.cli.preview", ("flask", "waitress", "sqlalchemy", "alembic", "rich", "email_validator")),
        ("newsletter.cli.send", (*INLINING, "alembic", "rich", "email_validator")),
        ("newsletter.cli.subscribers", (*INLINING, "jinja2", "alembic", "rich", "email_validator")),
    ],
)
def test_a_module_loads_no_more_than_it_needs(module: str, unwanted: tuple[str, ...]) -> None:
    found = f"import {module}, sys; print(*sorted(sys.modules.keys() & set({unwanted!r})))"
    done = subprocess.run([sys.executable, "-c", found], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
