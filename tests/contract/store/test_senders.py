"""Several senders at once, and senders that die."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.delivery.outcome import Status
from newsletter.errors import StoreError
from newsletter.store import ledger, workers
from newsletter.store.workers import hand_of, is_gone, this_worker
from tests.contract.store.conftest import NOW

ROOT = Path(__file__).parents[3]

START = """
import sys, time
from datetime import datetime, timedelta
from newsletter.delivery.outcome import Receipt, Status
from newsletter.store.chronicle import SqlChronicle
from newsletter.store.db import connect
from newsletter.store.ledger import SqlLedger
from newsletter.store.workers import this_worker
url, now = sys.argv[1], datetime.fromisoformat(sys.argv[2])
db = connect(url)
ledger, worker = SqlLedger(db), this_worker()
def claim(limit):
    return ledger.claim(1, now=now, not_before=now - timedelta(hours=36), limit=limit, worker=worker)
def accept(found, count=None):
    receipts = [Receipt(seq=each.seq, status=Status.ACCEPTED) for each in found.deliveries[:count]]
    ledger.record(found, receipts, digests={}, now=now)
"""

SENDS_ALL = """
input()
while found := claim(7):
    time.sleep(0.01)  # as a provider takes its time; else one of them is done before the others wake
    accept(found)
    ledger.record(found, [], digests={}, now=now, close=True)
    print(*(each.seq for each in found.deliveries))
left = SqlChronicle(db).tally(1, now=now, not_before=now - timedelta(hours=36)).by_status
assert Status.PLANNED not in left, "told that nothing was left"
db.close()
"""

DIES = """
found = claim(10)
accept(found, 3)
print(worker, flush=True)
time.sleep(60)
"""


def sender(url: str, what: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START + what, url, NOW.isoformat()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip


def test_several_senders_share_the_work_and_nothing_is_sent_twice(store, database_url):
    store.crowd(600)
    no = store.plan().no
    senders = [sender(database_url, SENDS_ALL) for _ in range(4)]
    told = []
    for each in senders:
        each.stdin.write("\n")
        each.stdin.flush()
    for each in senders:
        out, _ = each.communicate(timeout=60)
        assert each.returncode == 0
        told.append([int(seq) for seq in out.split()])
    assert sorted(seq for seqs in told for seq in seqs) == list(range(1, 601))
    assert sum(bool(seqs) for seqs in told) > 1
    assert store.tally(no).by_status == {Status.ACCEPTED: 600}


def test_what_a_killed_sender_had_in_its_hands_is_found_at_once(store, database_url):
    store.crowd(20)
    no = store.plan().no
    victim = sender(database_url, DIES)
    name = victim.stdout.readline().strip()
    assert store.ledger.abandoned(no, now=NOW, worker=this_worker()) is None  # it still lives
    victim.kill()
    victim.communicate()
    assert is_gone(name)
    found = store.ledger.abandoned(no, now=NOW + timedelta(seconds=1), worker=this_worker())
    assert [each.seq for each in found.deliveries] == [4, 5, 6, 7, 8, 9, 10]
    assert found.claimed_at == NOW
    tally = store.tally(no)
    assert tally.by_status == {Status.ACCEPTED: 3, Status.CLAIMED: 7, Status.PLANNED: 10}


def test_a_claim_survives_the_crash_of_the_server(store, request):
    if store.db.is_sqlite:
        pytest.skip("SQLite has no server; the test above kills the whole process")
    store.crowd(5)
    no = store.plan().no
    claim = store.claim(no)
    request.getfixturevalue("postgres").crash()
    assert store.tally(no).by_status == {Status.CLAIMED: 5}
    store.accept(claim)
    assert store.tally(no).by_status == {Status.ACCEPTED: 5}


def test_a_server_that_goes_away_while_a_receipt_is_recorded(store, request, monkeypatch, capsys):
    if store.db.is_sqlite:
        pytest.skip("SQLite has no server")
    store.crowd(2)
    claim = store.claim(store.plan().no)

    def crash(*_arguments, **_named):
        request.getfixturevalue("postgres").crash()

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(ledger, "_news", crash)
        with pytest.raises(StoreError, match="connection to the database broke"):
            store.accept(claim)
    assert capsys.readouterr() == ("", "")  # the pool has nothing to add
    assert store.tally(claim.issue_no).by_status == {Status.CLAIMED: 2}
    store.accept(claim)
    assert store.tally(claim.issue_no).by_status == {Status.ACCEPTED: 2}


def test_this_process_is_not_gone():
    assert this_worker() == this_worker()
    assert not is_gone(this_worker())
    assert not is_gone(hand_of(this_worker()))


def test_an_earlier_process_with_our_number_is_gone():
    machine, pid, _ = this_worker().split(":")
    assert is_gone(f"{machine}:{pid}:00000000")
    assert is_gone(hand_of(f"{machine}:{pid}:00000000"))


def test_no_two_claims_are_in_the_same_hand():
    assert len({hand_of("machine:1:nonce") for _ in range(100)}) == 100


def test_of_a_worker_elsewhere_nothing_is_certain():
    _, _, nonce = this_worker().split(":")
    assert not is_gone(f"elsewhere:999999999:{nonce}")


def test_a_living_process_of_somebody_else_is_not_gone():
    machine = this_worker().split(":")[0]
    assert not is_gone(f"{machine}:1:00000000")


def test_a_forked_child_is_another_worker():
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, this_worker().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 200).decode() != this_worker()


def test_another_boot_is_another_machine(monkeypatch):
    before = this_worker()
    workers._machine.cache_clear()
    monkeypatch.setattr(workers.socket, "gethostname", lambda: "other:host")
    try:
        assert this_worker().split(":")[0] != before.split(":")[0]
        assert len(this_worker().split(":")) == 3
    finally:
        workers._machine.cache_clear()
