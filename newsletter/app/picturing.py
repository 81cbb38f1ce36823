"""A letter as a picture, taken by a browser of this machine; it fetches nothing to do so.

The browser is driven over two pipes by its own protocol, https://chromedevtools.github.io/devtools-protocol/
(read 2026-11): commands go to its file descriptor 3 and answers come from 4, each a JSON text with a NUL behind it.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from newsletter.errors import NewsletterError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_S = 60.0
_FLAGS = (
    *("--headless", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-extensions", "--hide-scrollbars"),
    *("--remote-debugging-pipe", "--host-resolver-rules=MAP * ~NOTFOUND"),
)
_HEIGHT = "Math.ceil(document.documentElement.getBoundingClientRect().height)"


def picture(html: bytes, *, width: int, dark: bool) -> bytes:
    """The whole of a page of *width* pixels, as PNG. Raises NewsletterError where no browser can take it."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        hint = "install Chromium (Debian: apt install chromium), or print the HTML and open it in a browser"
        raise NewsletterError(f"no browser to take the picture with: none of {', '.join(BROWSERS)}", hint=hint)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Path(folder, "letter.html")
        page.write_bytes(html)
        with _started(program, Path(folder, "profile")) as pipe:
            return _taken(pipe, page.as_uri(), width=width, dark=dark)


def _taken(pipe: _Pipe, address: str, *, width: int, dark: bool) -> bytes:
    target = pipe.call("Target.createTarget", url="about:blank")["targetId"]
    pipe.session = str(pipe.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
    pipe.call("Page.enable")
    pipe.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    pipe.call("Emulation.setEmulatedMedia", features=[scheme])
    pipe.call("Page.navigate", url=address)
    pipe.wait(method="Page.loadEventFired")
    height = max(1, int(pipe.call("Runtime.evaluate", expression=_HEIGHT, returnByValue=True)["result"]["value"]))
    # A window as high as the page: a picture beyond its window is cut off at the side where text runs from the right.
    pipe.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
    return base64.b64decode(pipe.call("Page.captureScreenshot", format="png")["data"])


@contextmanager
def _started(program: str, profile: Path) -> Iterator[_Pipe]:
    """The browser's pipes; it and all that it starts are gone at the end."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # Out of the way of 3 and 4, so that neither is overwritten before it is moved.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (theirs_in, theirs_out)]
    moves = [(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(ends, start=3)]
    silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()  # its sandbox refuses to work for root
    command = [program, *_FLAGS, *root, f"--user-data-dir={profile}", "about:blank"]
    try:
        pid = os.posix_spawn(program, command, os.environ, file_actions=[*silent, *moves], setpgroup=0)
    finally:
        for end in (theirs_in, theirs_out, *ends):
            os.close(end)
    try:
        yield _Pipe(ours_in, ours_out)
    finally:
        os.killpg(pid, signal.SIGKILL)  # its profile is thrown away, so nothing has to be put in order
        os.waitpid(pid, 0)
        os.close(ours_in)
        os.close(ours_out)


class _Pipe:
    """Commands to a browser, and its answers."""

    def __init__(self, answers: int, commands: int) -> None:
        """Talk over these file descriptors, for a while in all."""
        self._in, self._out = answers, commands
        self._until = monotonic() + PATIENCE_S
        self._buffer = b""
        self._number = 0
        self.session = ""

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """The result of one command."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        try:
            os.write(self._out, json.dumps(command).encode() + b"\0")
        except BrokenPipeError as err:
            raise _gone() from err
        answer = self.wait(id=self._number)
        if "result" not in answer:
            raise NewsletterError(f"the browser refuses {method}", hint="is it a recent Chromium?")
        return dict(answer["result"])

    def wait(self, **wanted: object) -> dict[str, Any]:
        """The next message that has these values."""
        while True:
            while b"\0" in self._buffer:
                text, _, self._buffer = self._buffer.partition(b"\0")
                message: dict[str, Any] = json.loads(text)
                if wanted.items() <= message.items():
                    return message
            ready, _, _ = select.select([self._in], [], [], max(0.0, self._until - monotonic()))
            more = os.read(self._in, 1 << 20) if ready else b""
            if not more:
                raise _gone()
            self._buffer += more


def _gone() -> NewsletterError:
    return NewsletterError(
        "the browser gave no picture", hint="does it start by itself? try: chromium --headless --dump-dom about:blank"
    )
