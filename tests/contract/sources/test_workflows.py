"""What the doctor says of a newsletter's workflows."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.sources.finding import Level
from newsletter.sources.workflows import examine

SHA = "de0fac2e4500dabe0009e67214ff5f5447ce83dd"
GOOD = f"""
on:
  schedule: [{{cron: "17 6 * * *"}}]
permissions: {{}}
jobs:
  tick:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@{SHA} # v6.0.2
      - uses: ./here
      - run: ./nl tick
  called:
    uses: owner/name/.github/workflows/x.yml@{SHA}
"""
OK, WARNING, ERROR = Level.OK, Level.WARNING, Level.ERROR


@pytest.fixture
def put(tmp_path: Path):
    def put(name: str, text: str) -> list[tuple[Level, str]]:
        path = tmp_path / ".github" / "workflows" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return [(each.level, each.detail) for each in examine(tmp_path)]

    return put


def test_without_workflows_nothing_is_said(tmp_path: Path) -> None:
    assert examine(tmp_path) == []


def test_ours_are_well() -> None:
    assert [each.level for each in examine(Path(__file__).parents[3])] == [OK]


def test_good_ones_are_named(put) -> None:
    assert put("send.yml", GOOD) == [(OK, "send.yml")]


def test_that_nothing_sends_is_a_note(put) -> None:
    ((level, detail),) = put("ci.yml", GOOD)
    assert level is WARNING
    assert "send.yml is not among them" in detail


BAD = {
    "rights": (GOOD.replace("permissions: {}", "permissions: write-all"), "more rights"),
    "no rights said": (GOOD.replace("permissions: {}", ""), "more rights"),
    "tag": (GOOD.replace(f"checkout@{SHA}", "checkout@v6"), "actions/checkout@v6 can be changed"),
    "called": (GOOD.replace(f"x.yml@{SHA}", "x.yml@main"), "x.yml@main can be changed"),
    "triggers": (GOOD.replace("schedule:", "push:\n  schedule:"), "schedule stands beside"),
    "triggers, in quotes": (GOOD.replace("on:", '"on":').replace("schedule:", "push:\n  schedule:"), "schedule stands"),
    "no YAML": ("on: [", "cannot be read"),
    "no workflow": ("- a", "cannot be read"),
    "empty": ("", "cannot be read"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_an_error_only_where_letters_are_sent(put, what: str) -> None:
    text, words = BAD[what]
    ((level, detail),) = put("send.yml", text)
    assert level is ERROR
    assert words in detail
    put("send.yml", GOOD)
    ((level, detail),) = put("pages.yml", text)
    assert level is WARNING
    assert words in detail
    assert detail.startswith("pages.yml")
