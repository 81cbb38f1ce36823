"""Git as a subprocess that asks nobody anything, ends in time, and whose complaints show no credentials."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import StateError

REMOTE_S = 120  # a command that talks to the remote; forty megabytes need less on any line worth having
_LOCAL_S = 30

# What a hook that runs us would have us work on, what writes every header of a request to stderr, and who wrote it.
# And our own secrets: whatever Git starts (ssh, a helper for credentials, the hooks of a remote that is a folder) would
# inherit them. A provider's own, as AWS_…, stay: there are helpers that need them.
_FOREIGN = re.compile(
    r"NEWSLETTER_\w*|GIT_(?:DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|NAMESPACE|PREFIX"
    r"|SHALLOW_FILE|GRAFT_FILE|QUARANTINE_PATH|CURL_VERBOSE|TRACE\w*)"
)
_ALWAYS = {
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",  # we read what it says
    # An empty address is one that Git takes: nobody is named on the remote.
    "GIT_AUTHOR_NAME": "newsletter",
    "GIT_AUTHOR_EMAIL": "",
    "GIT_COMMITTER_NAME": "newsletter",
    "GIT_COMMITTER_EMAIL": "",
}
_SETTINGS = (
    "core.hooksPath=/dev/null",  # the hooks of the checkout are meant for its branches
    "core.compression=0",  # what is encrypted does not become smaller
    "pack.compression=0",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.recurseSubmodules=false",
    "push.followTags=false",
    "push.gpgSign=false",
    "push.pushOption=",  # an empty one takes back those before it, which most remotes do not know
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Git answered; `late` if it was ended because it took too long."""

    code: int
    out: bytes
    said: str  # the first line of what it complained of, without anything secret
    late: bool = False

    @property
    def text(self) -> str:
        """Its output as a line of text."""
        return self.out.decode(errors="replace").strip()


def git(
    repository: Path, *words: str, data: bytes = b"", places: Mapping[str, str] | None = None, remote: bool = False
) -> Answer:
    """What Git answers in *repository*. Raises StateError only if it cannot be started.

    *places* says where its objects are; with *remote* it is given the time that a network needs.
    """
    environment = {name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)}
    command = ["git", "-C", str(repository), *(word for each in _SETTINGS for word in ("-c", each)), *words]
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell, and no word of a stranger's
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment | _ALWAYS | dict(places or {}),
            start_new_session=True,  # no terminal to ask on, and one group to end: ssh outlives its git otherwise
        )
    except OSError as problem:
        message = f"Git cannot be started ({type(problem).__name__})"
        raise StateError(message, hint="install git, or put it on the PATH") from None
    with process:
        try:
            out, complaints = process.communicate(data, timeout=REMOTE_S if remote else _LOCAL_S)
        except subprocess.TimeoutExpired:
            _end(process)
            return Answer(code=-1, out=b"", said="no answer in time", late=True)
        except BaseException:
            _end(process)
            raise
    return Answer(code=process.returncode, out=out, said=_first(complaints.decode(errors="replace")))


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _first(complaints: str) -> str:
    """The line that says most: what the remote's own hook said, else Git's first complaint."""
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    says = [line for line in lines if line.startswith("remote:") and line != "remote:"] or [
        line for line in lines if line.startswith(("fatal:", "error:", "ssh:"))
    ]
    return without_credentials((says or lines or ["no reason given"])[0])[:300]


def without_credentials(text: str) -> str:
    """*text* without the user, password and query of any URL in it, and without anything like an address."""
    text = re.sub(r"(\w://)[^/\s'\"]*@", r"\1", text)
    text = re.sub(r"(\w://[^\s'\"?#]*)[?#][^\s'\"]*", r"\1", text)
    return re.sub(r"[^\s@'\"<>/:]+@(?=[^\s@])", "…", text)
