"""Forty things every message must satisfy, asked of every letter and every reader; see must_hold.py."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.broken import BROKEN, Broken
from tests.acceptance.mailing import Mail, send_everything
from tests.acceptance.must_hold import ITEMS, LATER, Item
from tests.acceptance.people import TAGS, TRICKS

TESTS = Path(__file__).resolve().parents[1]
CHECKED = [item for item in ITEMS if item.each or item.together]


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> list[Mail]:
    """Every message there is: sent once, read by all tests."""
    return send_everything(tmp_path_factory.mktemp("must-hold"))


def test_all_forty_are_accounted_for() -> None:
    assert [item.number for item in ITEMS] == list(range(1, 41))
    wholly_later = {later.number for later in LATER if later.whole}
    assert {item.number for item in ITEMS if not item.is_checked} == wholly_later
    assert len({later.number for later in LATER}) == len(LATER)
    assert all(item.sentence.endswith(".") for item in ITEMS)
    assert all(later.waits_for for later in LATER)


def test_what_others_judge_is_there() -> None:
    for file, name in (each.split("::") for item in ITEMS for each in item.elsewhere):
        tree = ast.parse((TESTS / file).read_text())
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_letter_and_every_reader_is_among_them(mails: list[Mail]) -> None:
    samples = {path.stem for path in (TESTS.parent / "issues").glob("????-??-??-*.md")}
    cases = {path.stem for path in (TESTS / "cases" / "letters").glob("*.md")}
    assert {mail.letter.id for mail in mails} == samples | cases
    for sample in samples:
        readers = {mail.person.address for mail in mails if mail.letter.id == sample}
        assert {f"trick.{trick}@example.org" for trick in TRICKS} <= readers
        assert len(readers) == 33 + len(TRICKS)  # the sample list has 33 people who may be mailed


@pytest.mark.parametrize("item", CHECKED, ids=[f"{item.number:02}" for item in CHECKED])
def test_it_holds_for_everyone(item: Item, mails: list[Mail]) -> None:
    objections: dict[str, list[str]] = {}
    for check in item.each:
        for mail in mails:
            for what in check(mail):
                objections.setdefault(what, []).append(f"{mail.person.address}, {mail.letter.id}")
    for check_all in item.together:
        for what in check_all(mails):
            objections.setdefault(what, []).append("all")
    told = [f"{what}  ({len(where)} messages, e.g. {where[0]})" for what, where in objections.items()]
    assert not told, "\n".join([item.sentence, *told[:12]])


def test_a_reader_sees_exactly_the_blocks_that_are_for_them(mails: list[Mail]) -> None:
    combined = [mail for mail in mails if "five-conditions" in mail.letter.id]
    assert len({mail.person.tags & set(TAGS) for mail in combined}) == 2 ** len(TAGS)
    for mail in combined:
        for tag in TAGS:
            seen = [f"with {tag}:" in shown for shown in (mail.text, mail.page.prose)]
            assert seen == [tag in mail.person.tags] * 2, f"{tag} for {mail.person.address}"
        assert ("Red again" in mail.text) == ("red" in mail.person.tags)


@pytest.fixture(scope="module")
def pair(mails: list[Mail]) -> Sequence[Mail]:
    """Two sound messages to break: one letter, two readers of the same variant."""
    of_one = [mail for mail in mails if mail.letter.id == "2026-11-23-renew-your-goals"]
    by_address = {mail.person.address: mail for mail in of_one}
    zoe, brien = by_address["zoe@example.org"], by_address["o.brien@example.org"]
    assert zoe.source == brien.source
    return brien, zoe


def objections_with_lines(generator: Any) -> Iterator[tuple[str, int]]:
    """What a check objects to, and the line of the `yield` it comes from."""
    for what in generator:
        yield what, generator.gi_frame.f_lineno


def broken_by(case: Broken, pair: Sequence[Mail]) -> list[tuple[str, int]]:
    takes_all = next(iter(inspect.signature(case.check).parameters)) == "mails"
    subject: Any = pair if takes_all else pair[-1]
    check: Any = case.check
    assert list(check(subject)) == [], "the message is broken before it is broken"
    return list(objections_with_lines(check(case.by(subject))))


@pytest.mark.parametrize("case", BROKEN, ids=[f"{case.check.__name__}: {case.how}" for case in BROKEN])
def test_the_check_notices(case: Broken, pair: Sequence[Mail]) -> None:
    assert broken_by(case, pair)


@pytest.mark.parametrize(
    "check",
    dict.fromkeys(check for item in ITEMS for check in (*item.each, *item.together)),
    ids=lambda check: check.__name__,
)
def test_every_objection_of_a_check_can_be_raised(check: Any, pair: Sequence[Mail]) -> None:
    raised = {line for case in BROKEN if case.check is check for _, line in broken_by(case, pair)}
    source, first = inspect.getsourcelines(check)
    yields = [node for node in ast.walk(ast.parse(textwrap.dedent("".join(source)))) if isinstance(node, ast.Yield)]
    never = [
        source[node.lineno - 1].strip()
        for node in yields
        if not any(first + node.lineno - 1 <= line <= first + (node.end_lineno or node.lineno) - 1 for line in raised)
    ]
    assert yields
    assert not never, f"nothing in broken.py makes {check.__name__} say this"


def test_what_waits_is_told_in_plain_words() -> None:
    for later in LATER:
        assert re.search(r"[a-z]+ [a-z]+", later.waits_for)
