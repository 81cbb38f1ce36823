"""rspamd, run for the tests alone: on loopback, with a folder of its own, and with nobody to ask anything."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.contract.providers.clouds import nowhere

STARTS_WITHIN_S = 90  # a machine with much else to do; it takes two seconds of a processor
ANSWER_S = 30

# What asks others (lists of bad hosts, name servers, a Redis), or remembers other messages.
_OFF = (
    *("antivirus", "arc", "asn", "bimi", "dkim", "dkim_signing", "dmarc", "fuzzy_check", "greylist", "history_redis"),
    *("mime_types", "multimap", "mx_check", "neural", "phishing", "ratelimit", "rbl", "replies", "reputation"),
    *("rspamd_update", "spf", "surbl", "url_redirector", "whitelist"),
)
_MAIN = """
.include "$CONFDIR/common.conf"
options {{
    .include "$CONFDIR/options.inc"
    .include(priority=10) "$LOCAL_CONFDIR/options.inc"
}}
logging {{ type = "console"; level = "warning"; }}
worker "normal" {{ bind_socket = "{address}"; count = 1; }}
"""
# Its list of all top domains takes ten seconds to read, and our letters know four. Port 1 answers no name.
_OPTIONS = """
pidfile = "{folder}/rspamd.pid";
tempdir = "{folder}";
filters = "chartable,regexp";
dns {{ nameserver = ["127.0.0.1:1"]; timeout = 0.05s; retransmits = 1; }}
disable_hyperscan = true;
disable_monitoring = true;
url_tld = "{folder}/domains";
"""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A rule that fired: what it adds to the score, and what it saw."""

    name: str
    score: float
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rspamd:
    """One that runs."""

    url: str

    def judge(self, message: bytes) -> dict[str, Symbol]:
        """The rules that fired for a message, by name."""
        answer = requests.post(f"{self.url}/checkv2", data=message, timeout=ANSWER_S)
        answer.raise_for_status()
        return {
            name: Symbol(name, each["score"], tuple(each.get("options", ())))
            for name, each in answer.json()["symbols"].items()
        }


@contextmanager
def running(program: str, folder: Path) -> Iterator[Rspamd]:
    """rspamd in the foreground, until it is not needed any more; *folder* is an empty one."""
    url = nowhere()
    _write_settings(folder, address=url.removeprefix("http://"))
    variables = [f"--var={name}={folder}" for name in ("DBDIR", "RUNDIR", "LOGDIR", "LOCAL_CONFDIR")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--no-fork", "--insecure", f"--config={folder}/rspamd.conf", *variables],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            start_new_session=True,  # its processes share a group, which can be ended as one
        )
    try:
        _wait_for(url, process, folder / "log")
        yield Rspamd(url)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _write_settings(folder: Path, *, address: str) -> None:
    (folder / "rspamd.conf").write_text(_MAIN.format(address=address))
    (folder / "options.inc").write_text(_OPTIONS.format(folder=folder))
    (folder / "domains").write_text("com\nexample\nnet\norg\n")
    (folder / "override.d").mkdir()
    for module in _OFF:
        (folder / "override.d" / f"{module}.conf").write_text("enabled = false;\n")


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while process.poll() is None and time.monotonic() < until:
        try:
            if requests.get(f"{url}/ping", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError(f"rspamd does not answer: {log.read_text()[-2000:]}")
