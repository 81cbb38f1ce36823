"""One scene of the drill: a letter to a crowd by one provider on one database, while things are killed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyrage

from newsletter.app.newsletter import Newsletter
from newsletter.delivery.message import delivery_ref
from newsletter.delivery.outcome import Status
from newsletter.settings.read import read_settings
from newsletter.store.planner import SqlPlanner
from newsletter.store.tables import outcomes
from tests.cloud import mailgun, resend, ses
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {
    "smtp": '[smtp]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n',
    "resend": '[resend]\nurl = "http://127.0.0.1:{port}"\n',
    "mailgun": '[mailgun]\ndomain = "letters.example.org"\nurl = "http://127.0.0.1:{port}"\n',
    "ses": f'[ses]\nregion = "{ses.REGION}"\nurl = "http://127.0.0.1:{{port}}"\n',
}
SECRETS = {
    "NEWSLETTER_RESEND_API_KEY": resend.KEY,
    "NEWSLETTER_MAILGUN_API_KEY": mailgun.KEY,
    "AWS_ACCESS_KEY_ID": ses.ACCESS,
    "AWS_SECRET_ACCESS_KEY": ses.SECRET,
}
# A remote that turns one push in twenty away.
_MOODY = """#!/bin/sh
[ $(($(od -An -N1 -tu1 /dev/urandom) % 20)) -ne 0 ] || { echo "not now" >&2; exit 1; }
"""
GIVE_UP_S = 180  # for what is left once the killing is over


@dataclass(slots=True)
class Found:
    """What came of a scene, in people."""

    provider: str
    database: str
    senders: int
    people: int
    kills: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    twice: int = 0  # accepted twice by the provider
    lost: int = 0  # neither mailed nor named by the ledger
    wrong: int = 0  # of whom the ledger says something that is not so
    in_doubt: int = 0  # named by the ledger as in doubt
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.twice or self.lost or self.wrong)


class Scene:
    """A newsletter, its provider and its senders."""

    seconds = 50  # that a send takes, if nothing is killed

    def __init__(
        self, folder: Path, provider: str, *, people: int, senders: int, postgres: Postgres | None, url: str, seed: int
    ) -> None:
        self.folder, self.provider, self.people, self.senders = folder, provider, people, senders
        self.postgres, self.url = postgres, url
        self.dice = random.Random(seed)
        self.journal = folder.parent / f"{folder.name}.journal"
        self.issue = f"{datetime.now(UTC):%Y-%m-%d}-drill"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.in_git = url == "git+age"
        # Where the senders work: with a state in Git each on a machine of its own, that forgets its disk.
        self._desks = (
            [folder] * senders
            if not self.in_git
            else [folder.parent / f"{folder.name}-runner{number}" for number in range(senders)]
        )
        self._keys = pyrage.x25519.Identity.generate()
        self._peer: subprocess.Popen[bytes] | None = None
        self._running: list[subprocess.Popen[bytes]] = []
        self._at: dict[int, Path] = {}  # process → its desk

    def play(self, kills: int) -> Found:
        """Send, kill so many times, and count."""
        database = "postgresql" if self.postgres else "git" if self.in_git else "sqlite"
        found = Found(self.provider, database, self.senders, self.people)
        started = time.monotonic()
        self._found_newsletter()
        with self._stage():
            while found.kills.total() < kills and self._to_come():
                self._kill_something(found)
            self._come_to_an_end()
        self._count(found)
        found.seconds = time.monotonic() - started
        return found

    @contextmanager
    def _stage(self) -> Iterator[None]:
        self._start_peer()
        try:
            yield
        finally:
            for process in [*self._running, *([self._peer] if self._peer else [])]:
                process.kill()
                process.wait()

    def _found_newsletter(self) -> None:
        self._newsletter("init", str(self.folder), config=False)
        settings = (self.folder / "newsletter.toml").read_text()
        rate = max(10, self.people // self.seconds)  # so that a send takes long enough to be killed often
        settings = settings.replace("[site]\n", "[site]\ncheck = false\n")  # nothing of it is on the web
        settings = settings.partition("[provider]")[0] + (
            f'[provider]\nname = "{self.provider}"\nrate = {rate}\n\n[canary]\npeople = 0\nlimit_percent = 100\n\n'
            + SETTINGS[self.provider].format(port=self.port)
        )
        if self.in_git:
            settings += f'\n[state]\nremote = "{self._origin}"\nrecipients = ["{self._keys.to_public()}"]\n'
        (self.folder / "newsletter.toml").write_text(settings)
        sample = (self.folder / "issues" / "2026-11-23-renew-your-goals.md").read_text()
        head = f"send: {datetime.now(UTC):%Y-%m-%d} 00:00 UTC"
        lines = [head if line.startswith("send:") else line for line in sample.split("\n")]
        (self.folder / "issues" / f"{self.issue}.md").write_text("\n".join(lines))
        rows = "".join(f"reader{n}@example.org,Reader {n}\n" for n in range(self.people))
        (self.folder / "list.csv").write_text(f"email,first_name\n{rows}")
        if self.in_git:
            for words in (["--bare", str(self._origin)], [str(self.folder)]):
                subprocess.run(["git", "init", "--quiet", *words], check=True)
            self._newsletter("state", "init")
        else:
            self._newsletter("db", "upgrade")
        self._newsletter("subscribers", "import", str(self.folder / "list.csv"), "--evidence", "invented for a drill")
        self._newsletter("approve", self.issue)
        self._newsletter("plan", self.issue, "--yes")
        if self.in_git:
            hook = self._origin / "hooks" / "pre-receive"
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(_MOODY)
            hook.chmod(0o755)
            for desk in self._desks:
                shutil.copytree(self.folder, desk)
                _forget(desk)

    @property
    def _origin(self) -> Path:
        return self.folder.parent / f"{self.folder.name}.git"

    def _command(self, *words: str, config: bool = True, desk: Path | None = None) -> list[str]:
        place = ["--config", str(desk or self.folder)] if config else []
        return [sys.executable, "-P", "-m", "newsletter", *place, *words]

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
        ours = {"NEWSLETTER_DATABASE_URL": self.url, "NEWSLETTER_STATE_KEY": str(self._keys), "PYTHONPATH": str(ROOT)}
        return inherited | SECRETS | ours

    def _newsletter(self, *words: str, config: bool = True, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self._command(*words, config=config),
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=GIVE_UP_S,
        )
        if check and done.returncode:
            raise RuntimeError(f"newsletter {' '.join(words)}: {done.stderr}")
        return done

    def _start_peer(self) -> None:
        seed = str(self.dice.randrange(10**6))
        words = [sys.executable, "-m", "tests.cloud.run", self.provider, str(self.port), str(self.journal), seed]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._peer = subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        for _ in range(1500):  # half a minute, as a loaded machine may need
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError("the provider's stand-in did not start")

    def _start_senders(self) -> None:
        self._running = [each for each in self._running if each.poll() is None]
        taken = [self._at[process.pid] for process in self._running]
        for desk in self._desks:
            if taken.count(desk) < self._desks.count(desk):
                taken.append(desk)
                process = subprocess.Popen(
                    self._command("send", self.issue, "--yes", desk=desk),
                    env=self._environment(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                self._running.append(process)
                self._at[process.pid] = desk

    def _kill_something(self, found: Found) -> None:
        self._start_senders()
        time.sleep(self.dice.uniform(0.5, 1.6))
        victim = self.dice.choices(["sender", "provider", "server"], [5, 2, 3 if self.postgres else 0])[0]
        if victim == "provider":
            assert self._peer is not None
            self._peer.kill()
            self._peer.wait()
            self._start_peer()
        elif victim == "server":
            assert self.postgres is not None
            self.postgres.crash()
        else:
            process = self.dice.choice(self._running)
            if process.poll() is not None:
                return
            process.send_signal(signal.SIGKILL)
            process.wait()
            if self.in_git:
                _forget(self._at[process.pid])
        found.kills[victim] += 1
        if found.kills.total() % 10 == 0:
            self._newsletter("reconcile", self.issue, "--minutes", "1", check=False)

    def _come_to_an_end(self) -> None:
        """Nothing is killed any more: send until nothing is to come, and find out what can be found out."""
        until = time.monotonic() + GIVE_UP_S
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=60)
        while self._to_come() and time.monotonic() < until:
            self._newsletter("send", self.issue, "--yes", check=False)
        self._newsletter("reconcile", self.issue, check=False)
        while self._to_come() and time.monotonic() < until:  # what reconcile proved unsent
            self._newsletter("send", self.issue, "--yes", check=False)

    def _to_come(self) -> int:
        done = self._newsletter("status", self.issue, "--json", check=False)
        if done.returncode:
            return 1  # the server is on its way up
        (standing,) = json.loads(done.stdout)
        return sum(standing["by_status"][each] for each in ("planned", "claimed", "deferred"))

    def _count(self, found: Found) -> None:
        """Hold the ledger against what the provider's own journal says."""
        taken = Counter(self._journal_refs())
        environment = self._environment()
        with Newsletter(read_settings(self.folder, environment)) as newsletter:
            issue = SqlPlanner(newsletter.database).planned(self.issue)
            assert issue is not None
            with newsletter.database.reading() as connection:
                said = {
                    row.seq: Status(row.status)
                    for row in connection.execute(outcomes.select().where(outcomes.c.issue_no == issue.no))
                }
        found.twice = sum(count > 1 for count in taken.values())
        for seq in range(1, self.people + 1):
            got = taken[delivery_ref(issue.no, seq, secret=issue.secret)]
            status = said.get(seq)
            found.accepted += status is Status.ACCEPTED
            found.in_doubt += status is Status.UNKNOWN
            found.lost += not got and status is not Status.UNKNOWN
            found.wrong += bool(got) and status not in (Status.ACCEPTED, Status.UNKNOWN)
        shutil.rmtree(self.folder)

    def _journal_refs(self) -> Iterator[str]:
        for line in self.journal.read_text().splitlines():
            with contextlib.suppress(ValueError):  # the last line of one that was killed
                record = json.loads(line)
                if "ref" in record:
                    yield record["ref"]
                else:
                    yield from (each["ref"] for each in record["takes"])


def _forget(desk: Path) -> None:
    """As a runner that is lost: nothing of its database is left."""
    for path in (desk / "subscribers").glob("newsletter.db*"):
        path.unlink()
