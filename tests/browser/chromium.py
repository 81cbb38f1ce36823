"""Chromium without a window, driven over a pipe by its own protocol; nothing it shows comes from beyond this machine.

https://chromedevtools.github.io/devtools-protocol/ (read 2026-11): with --remote-debugging-pipe commands go to
file descriptor 3 and answers come from 4, each a JSON text with a NUL behind it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--hide-scrollbars", "--remote-debugging-pipe", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
)
ANSWER_S = 60  # a machine with much else to do is slow, and no page of ours needs a tenth of this

# Moves the two ends of the pipes to 3 and 4, from wherever they are, and becomes the program.
_ONTO_3_AND_4 = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3]]
for fd, end in zip((3, 4), ends):
    os.dup2(end, fd)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Chromium:
    """A browser with one page. Use it as a context; its processes end with it."""

    def __init__(self, program: str, profile: Path, *, fonts: Path | None = None) -> None:
        """Use the browser at *program*, with an empty *profile* folder; *fonts* is a file that says which there are."""
        read_commands, self._out = os.pipe()
        self._in, write_answers = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-ISc", _ONTO_3_AND_4, str(read_commands), str(write_answers), program),
                *(*FLAGS, f"--user-data-dir={profile}", "about:blank"),
            ],
            pass_fds=(read_commands, write_answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **({"FONTCONFIG_FILE": str(fonts)} if fonts else {})},
            start_new_session=True,  # its many processes share a group, which can be ended as one
        )
        os.close(read_commands)
        os.close(write_answers)
        self._buffer = b""
        self._number = 0
        self._session = ""

    def __enter__(self) -> Self:
        """Itself, with its page open."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        return self

    def __exit__(self, *_exc: object) -> None:
        """End it, and all that it started."""
        os.close(self._out)
        os.close(self._in)
        try:
            self._process.wait(timeout=5)  # it leaves when its pipe is closed
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def call(self, method: str, **parameters: object) -> Mapping[str, Any]:
        """The result of one command."""
        self._number += 1
        number = self._number
        command: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._out, json.dumps(command).encode() + b"\0")
        answer = self._wait(lambda message: message.get("id") == number)
        assert "error" not in answer, f"{method}: {answer.get('error')}"
        return dict(answer["result"])

    def _wait(self, wanted: Any) -> dict[str, Any]:
        until = time.monotonic() + ANSWER_S
        while True:
            while b"\0" in self._buffer:
                text, _, self._buffer = self._buffer.partition(b"\0")
                message: dict[str, Any] = json.loads(text)
                if wanted(message):
                    return message
            ready, _, _ = select.select([self._in], [], [], max(0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            more = os.read(self._in, 1 << 20)
            assert more, "the browser is gone"
            self._buffer += more

    def show(self, page: Path | str, *, width: int, dark: bool = False, scale: int = 1) -> None:
        """Load a file, or an address of this machine, into a window; *scale* pixels of the screen make one of it."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=scale, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
        self._wait(lambda message: message.get("method") == "Page.loadEventFired")

    def picture(self) -> bytes:
        """The whole page as it is shown, from its top to its end, as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return b64decode(shot["data"])

    def run(self, script: str) -> Any:  # whatever the script makes
        """The value of a JavaScript function without arguments, called on the page; of a promise, what it promised."""
        answer = self.call("Runtime.evaluate", expression=f"({script})()", returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")
