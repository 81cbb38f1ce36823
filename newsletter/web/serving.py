"""A Flask application at an address of this machine, until somebody says that it is enough."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from waitress import create_server, wasyncore

from newsletter.errors import NewsletterError
from newsletter.web.loopback import HOST

THREADS = 12  # each open page has one, while it waits for news
LOOK_S = 0.2  # how soon an end is noticed


def listen(port: int) -> socket.socket:
    """A socket of this machine alone, bound to *port* or, if that is 0, to a free one. Raises NewsletterError."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as err:
        listening.close()
        hint = "is another preview open there? without --port a free one is taken"
        raise NewsletterError(f"cannot be listened at: {err.strerror}", at=f"{HOST}:{port}", hint=hint) from err
    listening.listen()
    return listening


def serve(app: Callable[..., Any], listening: socket.socket, stop: threading.Event) -> None:
    """Answer at *listening* until *stop* is set."""
    sockets: dict[int, Any] = {}
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # that somebody waits for a thread is no news
    # With a look ahead, whoever waits is told when nobody listens any more; its thread is wanted elsewhere.
    server = create_server(
        app, map=sockets, sockets=[listening], threads=THREADS, channel_request_lookahead=1, ident=""
    )
    try:
        while not stop.is_set():
            wasyncore.loop(timeout=LOOK_S, map=sockets, count=1)
    finally:
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets, ignore_all=True)
