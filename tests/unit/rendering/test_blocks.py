"""What only rendering can find wrong with a block."""

from __future__ import annotations

from tests.unit.letters import FIRST_BODY_LINE, built


def test_a_picture_in_running_text_is_a_problem_since_it_can_have_no_width() -> None:
    body = "::: text\nA line.\n\n![A table](https://example.org/table.png)\n:::\n"
    (problem,) = built(body).errors
    assert problem.at.line == FIRST_BODY_LINE + 3
    assert "picture" in problem.what
    assert "::: image" in problem.hint
