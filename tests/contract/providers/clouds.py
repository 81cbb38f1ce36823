"""Fixtures for providers that are called over HTTP."""

from __future__ import annotations

import socket

from tests.cloud.server import Cloud, Delivered
from tests.contract.providers.contract import World


class CloudWorld(World):
    """A cloud as the contract sees it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def accepted(self) -> list[Delivered]:
        return self.cloud.accepted

    def calls(self) -> int:
        return len(self.cloud.sends)

    def fails(self, *faults: str) -> None:
        self.cloud.faults.extend(faults)


def nowhere() -> str:
    """An address on loopback where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def never() -> bool:
    """Nobody asks to stop."""
    return False
