"""Connections that tell whether any of a request was handed to the network, and that are not trusted once they rested.

No exception tells the two apart: a broken TLS handshake, after which certainly nothing left, and a TLS alert
that comes instead of the answer are the same SSLError. What counts is whether a byte was given to the socket.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from urllib3.response import HTTPResponse

# Seconds that a connection may rest. What stands between us and a server forgets it after minutes, without a
# word, and many servers close it before; a call that is made in that moment is in doubt.
REST_S = 10.0


class CalledOffError(OSError):
    """A request that nobody waits for any more, and that did not leave."""


class Departure:
    """Whether one request left. It either leaves or is called off, and never both."""

    def __init__(self) -> None:
        """Still here."""
        self._lock = threading.Lock()
        self._called_off = False
        self.left = False

    def leave(self) -> None:
        """From here on it may have left. Raises CalledOffError."""
        with self._lock:
            if self._called_off:
                raise CalledOffError
            self.left = True

    def call_off(self) -> bool:
        """Keep it from leaving, and say whether that came in time."""
        with self._lock:
            self._called_off = not self.left
            return self._called_off


class _Ours(threading.local):
    """The request that this thread makes; a call has a thread of its own."""

    departure = Departure()


ours = _Ours()


class _Telling(HTTPConnection):
    """A connection that marks the departure of each request."""

    _used_at = 0.0

    @property
    def is_connected(self) -> bool:
        """Whether it may be used again, which a pool asks before it takes one that it kept."""
        return super().is_connected and time.monotonic() - self._used_at < REST_S

    def send(self, data: Any) -> None:  # noqa: ANN401 - as it is inherited
        """Hand *data* to the socket. Raises CalledOffError."""
        if self.sock is None:
            self.connect()
        ours.departure.leave()
        super().send(data)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3 does
        """The answer's status and headers."""
        try:
            return super().getresponse()
        finally:
            self._used_at = time.monotonic()


class _TellingTls(_Telling, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Telling


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TellingTls


class TellingAdapter(HTTPAdapter):
    """What requests calls by, with such connections, and without trying anything twice."""

    def __init__(self) -> None:
        """Keep connections, try nothing twice."""
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as it is inherited
        """As inherited, but for the kind of its connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
