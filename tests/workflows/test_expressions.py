"""The reader of GitHub's expressions says what GitHub would, and refuses what it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.workflows.expressions import Unknown, evaluate, fill, holds

CONTEXT: dict[str, Any] = {
    "github": {"event_name": "schedule", "event": {"repository": {}}},
    "inputs": {"dry_run": True},
    "vars": {"ON": "yes"},
    "needs": {"gate": {"result": "skipped"}},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github.event_name == 'schedule'", True),
        ("github.event_name == 'Schedule'", True),
        ("github.event.repository.fork", None),
        ("!github.event.repository.fork && vars.ON == 'yes'", True),
        ("vars.MISSING != ''", False),
        ("(needs.gate.result == 'success' || needs.gate.result == 'skipped')", True),
        ("github.event_name == 'workflow_dispatch' && inputs.dry_run", False),
        ("'it''s'", "it's"),
        ("always()", True),
        ("failure() || cancelled()", False),
        ("false || 3", 3.0),
    ],
)
def test_it_is_what_github_says(text: str, value: object) -> None:
    assert evaluate(text, CONTEXT) == value


@pytest.mark.parametrize(
    "text", ["steps.x", "hashFiles('a')", "vars.ON ==", "(vars.ON", "vars.ON vars.ON", "a ~ b", ""]
)
def test_what_it_does_not_know_is_refused(text: str) -> None:
    with pytest.raises(Unknown):
        evaluate(text, CONTEXT)


def test_values_are_written_as_github_writes_them() -> None:
    assert fill("${{ inputs.dry_run }}-${{ vars.MISSING }}-${{ vars.ON }}", CONTEXT) == "true--yes"


@pytest.mark.parametrize(
    ("condition", "status", "runs"),
    [
        (None, "success", True),
        (None, "failure", False),
        ("vars.ON == 'yes'", "failure", False),
        ("always() && vars.ON == 'yes'", "failure", True),
        ("${{ !cancelled() }}", "failure", True),
        ("failure()", "failure", True),
    ],
)
def test_success_is_meant_where_nothing_is_said(condition: str | None, status: str, runs: bool) -> None:
    assert holds(condition, CONTEXT, status=status) is runs
