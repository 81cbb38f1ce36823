"""A call to a stranger's address: its lines lead to the public Internet only, and it ends in time."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from time import monotonic
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from newsletter.sources.public import addresses_of, bare, is_public


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of our time and room one address gets, redirects and all."""

    total_s: float = 20.0
    connect_s: float = 5.0
    max_bytes: int = 2_000_000  # as it travels, and again unpacked
    redirects: int = 5


class Stopped(Exception):
    """We want no more of this address; the words say why."""


class Call:
    """One fetch: whom it may connect to, and when it ends, however busily the other side trickles."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._until = monotonic() + limits.total_s
        self._lock = threading.Lock()
        self._lines: list[socket.socket] = []
        self._alarm = threading.Timer(limits.total_s, self._hang_up)
        self._alarm.daemon = True
        self.too_late = ""
        self.at_home: tuple[str, int] | None = None  # the one place that may be on this machine

    def __enter__(self) -> Self:
        self._alarm.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._alarm.cancel()
        with self._lock:
            for line in self._lines:
                line.close()
            self._lines.clear()

    def _hang_up(self) -> None:
        """Whoever reads or writes now learns that the line is dead, also in the middle of a TLS handshake."""
        with self._lock:
            self.too_late = f"it took longer than {self._limits.total_s:g} seconds"
            for line in self._lines:
                try:
                    line.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def connect(self, host: str, port: int) -> socket.socket:
        """A line to *host*, at an address that was checked. Raises OSError and Stopped."""
        host = host.strip("[]").rstrip(".")
        found = addresses_of(host, port, patience_s=self._patience())
        public = [each for each in found if self._may(host, port, each[1][0])]
        if found and not public:
            raise Stopped("it leads to an address that is not public")
        failed: OSError = socket.gaierror(socket.EAI_NONAME, "no such name")
        for family, address in public:
            line = socket.socket(family, socket.SOCK_STREAM)
            try:
                self._watch(line)
                line.settimeout(self._patience())
                line.connect(address)
                self._still_in_time()
            except OSError as err:
                line.close()
                failed = err
            except BaseException:
                line.close()
                raise
            else:
                return line
        raise failed

    def _may(self, host: str, port: int, address: str) -> bool:
        return is_public(address) or ((host.lower(), port) == self.at_home and bare(address).is_loopback)

    def _patience(self) -> float:
        return max(0.01, min(self._limits.connect_s, self._until - monotonic()))

    def _watch(self, line: socket.socket) -> None:
        # A double of it: TLS takes the socket over, and the double still ends the same connection.
        with self._lock:
            self._still_in_time()
            self._lines.append(line.dup())

    def _still_in_time(self) -> None:
        if self.too_late:
            raise Stopped(self.too_late)


class CallAdapter(HTTPAdapter):
    """What requests calls by, over the lines of one call."""

    def __init__(self, call: Call) -> None:
        self._call = call
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as it is inherited
        """As inherited, but for the kind of its connections."""
        super().init_poolmanager(*args, **kwargs)
        call = self._call

        class Line(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return call.connect(self.host, self.port or self.default_port)

        class TlsLine(Line, HTTPSConnection):
            pass

        class Pool(HTTPConnectionPool):
            ConnectionCls = Line

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = TlsLine

        self.poolmanager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}
