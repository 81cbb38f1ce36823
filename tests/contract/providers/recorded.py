"""What providers answer and report, kept as files with their source."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter.delivery.message import Batch
from newsletter.delivery.outcome import Status
from newsletter.errors import ProviderBusy, ProviderRefused, QuotaReached
from newsletter.pieces import Pieces
from newsletter.usecases.ports import Provider
from tests.contract.providers.contract import kept
from tests.contract.providers.letters import crowd

FOLDER = Path(__file__).parent / "fixtures"
NEAR = datetime(2026, 11, 22, 12, tzinfo=UTC)  # when all the events in the files happened
RAISED = {"refused": ProviderRefused, "busy": ProviderBusy, "quota": QuotaReached}
NOT_RAISED = {"row": Status.REFUSED, "doubt": Status.UNKNOWN}


def cases(name: str, key: str) -> list[Any]:
    """The cases in a file, each of which says where it is from."""
    data = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert data["source"]
    assert data["date"]
    return data[key]


def two_variants(second: bytes) -> Batch:
    """Four readers, every other of whom gets a letter that says *second*."""
    batch = crowd(4)
    (first,) = batch.letter.bodies
    other = replace(first, html=Pieces((second, *first.html.parts)))
    rows = tuple(replace(row, variant=row.seq % 2) for row in batch.rows)
    return replace(batch, letter=replace(batch.letter, bodies=(first, other)), rows=rows)


def means(provider: Provider, case: dict[str, Any]) -> None:
    """Assert that the provider's next call ends as the case says."""
    if case["means"] in NOT_RAISED:
        (receipt,) = kept(provider.send(crowd(1))).values()
        assert receipt.status is NOT_RAISED[case["means"]]
        assert receipt.reason
        return
    with pytest.raises(RAISED[case["means"]]) as caught:
        kept(provider.send(crowd(1)))
    assert type(caught.value) is RAISED[case["means"]]
    assert case["hint"] in caught.value.hint
    assert "@" not in str(caught.value)
    if isinstance(caught.value, ProviderBusy):
        minutes = case.get("wait_minutes")
        assert caught.value.wait == (None if minutes is None else timedelta(minutes=minutes))


def reads(provider: Provider, case: dict[str, Any]) -> None:
    """Assert that the provider reads the one event of the case as it says."""
    found = list(provider.read_events(json.dumps(case["record"]).encode()))
    assert [(each.ref, each.status.value, each.reason, each.kind) for each in found] == (
        [("1-abc", case["status"], case["reason"], case.get("kind"))] if case["status"] else []
    )
    assert all(each.at and NEAR < each.at < NEAR + timedelta(days=2) for each in found)
