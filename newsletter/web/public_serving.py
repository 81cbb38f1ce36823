"""The public pages under waitress: what a stranger may send, how slowly, and how much of it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from waitress import create_server, wasyncore
from waitress.channel import HTTPChannel

from newsletter.errors import NewsletterError

THREADS = 8
CONNECTIONS = 500
IDLE_S = 20  # of a connection on which nothing is sent
REQUEST_S = 15  # from the first byte of a request to its last: a form is small, and so is patience with a trickle
MAX_HEADER_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024  # the pages themselves say so politely for less, see `public_guard`
_LOOK_S = 0.2


class _Prompt(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """A connection that is closed when a request takes longer to arrive than REQUEST_S."""

    _since = 0.0

    def received(self, data: bytes) -> bool:
        """Take in what came, if it came in time."""
        if self.request is None:
            self._since = monotonic()
        elif monotonic() - self._since > REQUEST_S:
            self.will_close = True
            return False
        return bool(super().received(data))


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to *host* and *port*. Raises NewsletterError."""
    hint = "is something else listening there? [serve] host and port say where"
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind)
    except OSError as err:
        raise NewsletterError(f"cannot be listened at: {err.strerror}", at=f"{host}:{port}", hint=hint) from err
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
    except OSError as err:
        listening.close()
        raise NewsletterError(f"cannot be listened at: {err.strerror}", at=f"{host}:{port}", hint=hint) from err
    listening.listen()
    return listening


def serve(app: Callable[..., Iterable[bytes]], listening: socket.socket, stop: threading.Event) -> None:
    """Answer at *listening* until *stop* is set; who is being answered then is answered to the end."""
    sockets: dict[int, Any] = {}
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that somebody waits for a thread is no news
    server = create_server(
        app,
        map=sockets,
        sockets=[listening],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_S,
        cleanup_interval=5,
        max_request_header_size=MAX_HEADER_BYTES,
        max_request_body_size=MAX_BODY_BYTES,
        asyncore_use_poll=True,  # select() ends at 1024 files
        ident="",
        clear_untrusted_proxy_headers=False,  # how many proxies are trusted is the pages' own to say
    )
    server.channel_class = _Prompt
    try:
        while not stop.is_set():
            wasyncore.loop(timeout=_LOOK_S, use_poll=True, map=sockets, count=1)
    finally:
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets, ignore_all=True)
