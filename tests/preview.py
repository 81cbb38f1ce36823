"""A `newsletter preview` at work, as a program of its own, and questions to it over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from tests.leaks import leaks_in

REPOSITORY = Path(__file__).resolve().parents[1]
PATIENCE_S = 60
AT = "2026-11-20T09:00:00+00:00"  # a Friday, on which letters are written


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def data(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Preview:
    """The program, running. Use it as a context; it is ended as a person ends it."""

    def __init__(self, root: Path, *words: str) -> None:
        """Look at the newsletter in *root*; *words* are what is typed after `preview`."""
        environment = {**os.environ, "NEWSLETTER_NOW": AT, "PYTHONPATH": str(REPOSITORY)}
        environment.pop("NEWSLETTER_DATABASE_URL", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "newsletter", "--config", str(root), "preview", *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """End it, if that was not done."""
        if self._process.poll() is None:
            self.end()

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it said, after Ctrl-C."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            _, said = self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        assert leaks_in(said) == []
        return self._process.returncode, said

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.url).port or 0

    @property
    def home(self) -> str:
        """The path that all its addresses begin with."""
        return f"/{urlsplit(self.url).path.split('/')[1]}/"

    def ask(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """The answer at *path*, which is taken from the root where it begins with a slash."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path if path.startswith("/") else self.home + path, headers=dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read().decode(errors="replace"))
        finally:
            connection.close()

    def now(self, issue: str, *, after: int = 0, **more: object) -> Any:
        """What the page of *issue* is told; waits for news where *after* is the number it was told last."""
        answer = self.ask(f"letters/{issue}/now?{urlencode({'after': after, **more}, doseq=True)}")
        assert answer.status == 200
        return answer.data
