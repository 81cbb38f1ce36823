"""`newsletter check` at a terminal, in a pull request, and for a scanner."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.workplace import ISSUE, Workplace

PATH = f"issues/{ISSUE}.md"


@pytest.fixture
def mistaken(workplace: Workplace) -> int:
    """The line of a letter on which two things are wrong."""
    workplace.done("init", str(workplace.root))
    file = workplace.root / PATH
    lines = file.read_text().split("\n")
    line = next(number for number, text in enumerate(lines) if text.startswith("Dear "))
    lines[line] = "Hey guys, [click here](https://example.org/100%25,a:b), TODO"
    file.write_text("\n".join(lines))
    return line + 1


def test_a_problem_shows_its_place_its_line_its_rule_and_the_way_out(workplace: Workplace, mistaken: int) -> None:
    said = workplace.run("check", ISSUE)
    assert said.exit_code == 3
    expected = [
        f"{PATH}:{mistaken}: error: 'TODO' was left behind  (placeholder)",
        "    │ Hey guys, [click here](https://example.org/100%25,a:b), TODO",
        f"{PATH}:{mistaken}: warning: the link says only 'click here'  (link-text)",
        "    let the link say what is behind it",
        f"{PATH}:{mistaken}: note: 'guys': to many readers it means men  (wording)",
        "    perhaps: everyone, friends, all, folks",
    ]
    lines = said.stdout.split("\n")
    assert [line for line in expected if line not in lines] == []
    assert f"{ISSUE}: 1 error, 1 warning, 1 note" in said.stderr


def test_a_note_alone_keeps_nothing_back(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    file = workplace.root / PATH
    file.write_text(file.read_text().replace("Dear ", "Hey guys, ", 1))
    assert f"{ISSUE}: 1 note" in workplace.done("check", ISSUE).stderr
    workplace.done("approve", ISSUE)


def test_annotations_are_what_github_reads(workplace: Workplace, mistaken: int) -> None:
    lines = workplace.run("check", ISSUE, "--github").stdout.splitlines()
    assert lines[0].startswith(f"::error file={PATH},line={mistaken},title=placeholder::'TODO' was left behind%0A")
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning", "::notice"]


def test_the_report_for_scanners_names_every_rule_and_place(workplace: Workplace, mistaken: int) -> None:
    report = json.loads(workplace.run("check", ISSUE, "--sarif").stdout)
    assert report["version"] == "2.1.0"
    (run,) = report["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert result["message"]["text"]
        (place,) = result["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == PATH
        assert place["physicalLocation"]["region"] == {"startLine": mistaken}


def test_the_list_names_what_is_off_and_why(workplace: Workplace, mistaken: int) -> None:
    settings = workplace.root / "newsletter.toml"
    settings.write_text(settings.read_text() + '\n[checks]\noff = { wording = "we know our readers" }\n')
    listed = {row["check"]: row for row in workplace.done("check", "--list", "--json").data}
    assert listed["wording"]["off"] == "we know our readers"
    assert listed["placeholder"]["off"] is None
    assert "wording is off: we know our readers" in workplace.done("check", "--list").stderr
    assert [row["check"] for row in workplace.run("check", ISSUE, "--json").data] == ["placeholder", "link-text"]
    assert mistaken


def test_links_are_followed_when_asked_for(workplace: Workplace, mistaken: int) -> None:
    file = workplace.root / PATH
    file.write_text(file.read_text().replace("https://example.org/100%25,a:b", "https://nobody.invalid/a"))

    def found(*options: str) -> set[str]:
        rows = workplace.run("check", ISSUE, *options, "--json").data
        return {row["check"] for row in rows if row["line"] == mistaken} & {"link-gone", "link-unsure"}

    assert len(found("--links")) == 1
    assert found() == set()


def test_a_check_that_must_stay_on_says_so(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    settings = workplace.root / "newsletter.toml"
    settings.write_text(settings.read_text() + '\n[checks]\noff = { way-out = "no" }\n')
    said = workplace.run("check", ISSUE)
    assert said.exit_code == 2
    assert "newsletter.toml [checks] off" in said.stderr
    assert "'way-out' stays on" in said.stderr
