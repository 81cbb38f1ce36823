"""GitHub Actions without GitHub: the steps of `send.yml` on runners that forget their disk, are doubled and are killed.

The state lives in Git, on a remote that turns one push in twenty away; the provider is a stand-in that breaks lines
after it has accepted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

from tests.drill.scene import SECRETS, Found, Scene
from tests.leaks import leaks_in
from tests.workflows.steps import Event, Ran, Runner

ROOT = Path(__file__).resolve().parents[2]
ON = {"NEWSLETTER_SEND": "on"}
TICK = Event(name="schedule", payload={"schedule": "17,47 * * * 1"})
_NL = '#!/bin/sh\nexec python -P -m newsletter "$@"\n'
_NO_GH = "#!/bin/sh\nexit 0\n"
_SIGNING_KEY = "a-key-for-signing-that-is-good-for-drills"


class Runners(Scene):
    """A newsletter whose ticks are runs of a workflow."""

    seconds = 200

    def __init__(self, folder: Path, provider: str, *, people: int, seed: int) -> None:
        super().__init__(folder, provider, people=people, senders=2, postgres=None, url="git+age", seed=seed)
        self._programs = folder.parent / f"{folder.name}-programs"
        self._machines = 0
        self.logs: list[str] = []

    def play(self, kills: int) -> Found:
        """Run the workflow again and again, kill so many of the runs, and count."""
        found = Found(self.provider, "git, on runners", self.senders, self.people)
        started = time.monotonic()
        self._found_newsletter()
        self._publish()
        with self._stage():
            tries = 0
            while found.kills["runner"] < kills and tries < kills * 3 and self._to_come():
                tries += 1
                self._some_runs(found)
            self._come_to_an_end()
        found.wrong += self._told()
        self._count(found)
        found.seconds = time.monotonic() - started
        return found

    def _publish(self) -> None:
        """What is in the folder as the branch main of the remote; the list and the keys are not in it."""
        for name in (".github", "scripts"):
            shutil.copytree(ROOT / name, self.folder / name, dirs_exist_ok=True)
        front = self.folder / "nl"
        front.write_text(_NL)
        front.chmod(0o755)
        self._programs.mkdir()
        (self._programs / "gh").write_text(_NO_GH)
        (self._programs / "gh").chmod(0o755)
        (self.folder / "list.csv").unlink()
        settings = self.folder / "newsletter.toml"
        settings.write_text(re.sub(r'(?m)^database = ".*"', 'database = "git+age"', settings.read_text()))
        named = ("-c", "user.name=somebody", "-c", "user.email=")
        hook = self._origin / "hooks" / "pre-receive"
        moody, quiet = hook.read_text(), "#!/bin/sh\n"
        hook.write_text(quiet)
        for words in (
            ("checkout", "--quiet", "-B", "main"),
            ("add", "--all"),
            (*named, "commit", "--quiet", "--message", "all"),
            ("push", "--quiet", str(self._origin), "main"),
        ):
            subprocess.run(["git", "-C", str(self.folder), *words], check=True)
        hook.write_text(moody)

    def _some_runs(self, found: Found) -> None:
        """One run, or two at once, killed after a while; or the provider."""
        if self.dice.random() < 0.15:
            assert self._peer is not None
            self._peer.kill()
            self._peer.wait()
            self._start_peer()
            found.kills["provider"] += 1
        results: list[Ran] = []

        def run(kill_after: float) -> None:
            results.append(self._run(kill_after))

        moments = [self.dice.uniform(0.8, 6.0) for _ in range(self.dice.choice([1, 1, 2]))]
        threads = [threading.Thread(target=run, args=(moment,)) for moment in moments]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found.kills["runner"] += sum(ran.killed for ran in results)

    def _run(self, kill_after: float | None) -> Ran:
        self._machines += 1
        home = self.folder.parent / f"{self.folder.name}-machine{self._machines}"
        runner = Runner(
            home=home,
            origin=self._origin,
            programs=self._programs,
            variables=ON,
            secrets=SECRETS | {"NEWSLETTER_STATE_KEY": str(self._keys), "NEWSLETTER_SECRET_KEYS": _SIGNING_KEY},
            environment={"PYTHONPATH": str(ROOT)},
            kill=("Do what is due", kill_after) if kill_after else None,
        )
        ran = runner.run("send.yml", TICK)
        self.logs.append(ran.log + ran.summary)
        shutil.rmtree(home)
        return ran

    def _come_to_an_end(self) -> None:
        """Nothing is killed any more; runs as they come, until nothing is left to come and one of them says so.

        The remote still turns pushes away, so any one of them may fail.
        """
        for _ in range(40):
            self._run(None)
            if not self._to_come() and '"sent"' in self.logs[-1]:
                break

    def _told(self) -> int:
        """How many logs and summaries name somebody."""
        return sum(bool(leaks_in(log)) or "@" in log for log in self.logs)
