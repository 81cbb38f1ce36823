"""The journal of departures as a file: only added to, durable, whole, and nobody else's."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import stat
from datetime import timedelta

import pytest

from newsletter.errors import StoreError
from newsletter.store.journal import Departure, Journal
from tests.contract.store.conftest import NOW

OURS, OTHERS = "00aa11bb22cc33dd", "ff00ff00ff00ff00"


def left(number: int, what: str = "unsubscribed") -> Departure:
    return Departure(at=NOW + timedelta(seconds=number), what=what, who=f"{number:032x}")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "subscribers" / "departures.jsonl"


@pytest.fixture
def journal(path):
    return Journal(path, newsletter=OURS)


def test_a_new_journal_is_only_ours_to_read_and_has_a_name(journal, path):
    name = journal.name()
    assert journal.name() == Journal(path, newsletter=OURS).name() == name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"journal": name, "newsletter": OURS}]


def test_what_was_added_is_read_once_from_where_one_was(journal):
    _, begun, first = journal.add([left(2), left(1)])
    news = journal.since("")
    assert (news.departures, news.mark, news.whole) == ({left(1), left(2)}, first, True)
    assert journal.since(first) is None
    assert journal.since(begun).departures == {left(1), left(2)}
    assert not journal.since(begun).whole
    _, before, second = journal.add([left(3, "suppressed")])
    assert before == first
    assert (journal.since(first).departures, journal.since(first).mark) == ({left(3, "suppressed")}, second)


def test_a_mark_of_another_journal_is_none_of_this_one(journal, path):
    _, _, mark = journal.add([left(1), left(2)])
    path.unlink()
    journal.add([left(3), left(4)])
    assert path.stat().st_size == int(mark.split()[0])  # as long as the one before
    assert (journal.since(mark).departures, journal.since(mark).whole) == ({left(3), left(4)}, True)
    path.write_bytes(path.read_bytes()[: -len(path.read_bytes().splitlines()[-1]) - 1])
    assert journal.since(mark).departures == {left(3)}


@pytest.mark.parametrize("cut", [1, 30, 60])
def test_a_line_that_a_power_cut_tore_is_passed_over_and_healed(journal, path, cut):
    _, _, mark = journal.add([left(1)])
    journal.add([left(2)])
    os.truncate(path, path.stat().st_size - cut)
    assert journal.since(mark) is None
    _, before, _ = journal.add([left(3)])
    assert before == mark
    assert journal.since("").departures == {left(1), left(3)}


def test_a_journal_that_was_torn_as_it_was_begun_is_begun_again(journal, path):
    journal.name()
    for size in (0, 5, 30):
        os.truncate(path, size)
        journal.add([left(size)])
        assert journal.since("").departures == {left(size)}


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "[]",
        "7",
        "",
        '{"at": "2026-11-23T12:00:00+00:00", "what": "active", "who": "00"}',
        "[" * 100_000,
        "x" * 3_000_000,
        "\0" * 20,
    ],
)
def test_a_line_that_is_none_of_ours_is_refused_with_its_place(journal, path, line):
    _, _, mark = journal.add([left(1)])
    with path.open("a") as file:
        file.write(f"{line}\n")
    journal.add([left(2)])
    for read in ("", mark):
        with pytest.raises(StoreError, match="cannot be read") as refusal:
            journal.since(read)
        assert refusal.value.at == f"{path}:3"
        assert "look who wrote there" in refusal.value.hint


@pytest.mark.parametrize("content", ["Dear diary", "Dear diary\nToday", "{}\n", '{"journal": "x"}\n', "\0\0", "[1]\n"])
def test_another_file_is_left_as_it_is(journal, path, content):
    path.parent.mkdir()
    path.write_text(content)
    for use in (journal.name, lambda: journal.since(""), lambda: journal.add([left(1)])):
        with pytest.raises(StoreError, match="cannot be read"):
            use()
    assert path.read_text() == content


def test_the_journal_of_another_newsletter_is_refused_wherever_it_begins(journal, path):
    other = Journal(path.with_name("other.jsonl"), newsletter=OTHERS)
    other.add([left(9)])
    with pytest.raises(StoreError, match="another newsletter's"):
        Journal(path.with_name("other.jsonl"), newsletter=OURS).since("")
    journal.add([left(1)])
    path.write_bytes(path.read_bytes() + path.with_name("other.jsonl").read_bytes())
    with pytest.raises(StoreError, match="another newsletter's"):
        journal.since("")


def test_two_journals_of_one_newsletter_can_be_put_together(journal, path):
    journal.add([left(1)])
    other = Journal(path.with_name("of-the-other-machine.jsonl"), newsletter=OURS)
    other.add([left(2)])
    path.write_bytes(path.read_bytes() + path.with_name("of-the-other-machine.jsonl").read_bytes())
    assert journal.since("").departures == {left(1), left(2)}


def _add_many(path, first):
    for number in range(first, first + 100):
        Journal(path, newsletter=OURS).add([left(number)])


def test_many_processes_add_at_once(journal, path):
    fork = multiprocessing.get_context("fork")
    at_work = [fork.Process(target=_add_many, args=(path, 100 * n)) for n in range(1, 5)]
    for each in at_work:
        each.start()
    for each in at_work:
        each.join(30)
    assert [each.exitcode for each in at_work] == [0] * 4
    assert journal.since("").departures == {left(number) for number in range(100, 500)}


def _add_beyond(path, limit):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        Journal(path, newsletter=OURS).add([left(n) for n in range(10, 100)])
    except StoreError as error:
        os._exit(7 if "cannot be used" in str(error) and "make room" in error.hint else 1)


def test_a_full_disk_is_told_and_leaves_no_half_of_it(journal, path):
    _, _, mark = journal.add([left(1)])
    writer = multiprocessing.get_context("fork").Process(target=_add_beyond, args=(path, path.stat().st_size + 500))
    writer.start()
    writer.join(30)
    assert writer.exitcode == 7
    assert journal.since(mark) is None
    assert journal.since("").departures == {left(1)}


def test_a_place_that_cannot_be_used_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used") as refusal:
        Journal(tmp_path / "file" / "departures.jsonl", newsletter=OURS).name()
    assert "[state] journal" in refusal.value.hint
