"""Providers that carry whole messages are held to what all are held to."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from newsletter.providers.outbox import Outbox
from newsletter.providers.smtp import Smtp
from tests.cloud.smtp import DROP_AFTER_DOT, Script, Server
from tests.contract.providers.clouds import never
from tests.contract.providers.contract import CalledContract, ProviderContract
from tests.contract.providers.worlds import FolderWorld, SmtpWorld


class TestOutbox(ProviderContract):
    @pytest.fixture
    def world(self, tmp_path: Path) -> FolderWorld:
        return FolderWorld(tmp_path)

    @pytest.fixture
    def make(self, tmp_path: Path) -> Callable[..., Outbox]:
        return lambda stop=never: Outbox(tmp_path, stop)


class TestSmtp(CalledContract):
    faults = (DROP_AFTER_DOT,)

    @pytest.fixture
    def connect(self) -> Iterator[Callable[..., Smtp]]:
        made: list[Smtp] = []

        def connect(port: int, stop: Callable[[], bool] = never) -> Smtp:
            made.append(Smtp(host="127.0.0.1", port=port, security="none", connections=2, stop=stop))
            return made[-1]

        yield connect
        for each in made:
            each.close()

    @pytest.fixture
    def world(self) -> Iterator[SmtpWorld]:
        world = SmtpWorld()
        with world.server:
            yield world

    @pytest.fixture
    def make(self, connect: Callable[..., Smtp], world: SmtpWorld) -> Callable[..., Smtp]:
        return partial(connect, world.server.port)

    @pytest.fixture
    def make_nowhere(self, connect: Callable[..., Smtp]) -> Callable[..., Smtp]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return partial(connect, probe.getsockname()[1])

    @pytest.fixture
    def make_locked_out(self, connect: Callable[..., Smtp]) -> Iterator[Callable[..., Smtp]]:
        with Server(Script(replies=lambda step, _to: "535 5.7.8 who are you" if step == "MAIL" else "")) as server:
            yield partial(connect, server.port)
