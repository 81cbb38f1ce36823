"""Who holds a batch, and whether they are certainly gone."""

from __future__ import annotations

import os
import secrets
import socket
import uuid
from functools import cache
from hashlib import blake2b
from pathlib import Path


def this_worker() -> str:
    """The name of this process: `machine:pid:nonce`, another one after every start and every fork."""
    pid = os.getpid()
    return f"{_machine()}:{pid}:{_nonce(pid)}"


def hand_of(worker: str) -> str:
    """A name for *worker* at one claim, `machine:pid:nonce:claim`: what it had once is not what it has now."""
    return f"{worker}:{secrets.token_hex(4)}"


def is_gone(worker: str) -> bool:
    """Whether *worker*, or the one whose hand this is, is certainly dead: it ran here, and its process is no more.

    A process that took over its number counts as alive, and so does every worker elsewhere: there the
    lease decides.
    """
    machine, pid, nonce = worker.split(":")[:3]
    if machine != _machine() or os.name != "posix":  # on Windows, os.kill(pid, 0) is no question but a signal
        return False
    if int(pid) == os.getpid():
        return nonce != _nonce(int(pid))
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


@cache
def _machine() -> str:
    """A name for where process numbers mean what they mean to us: this boot and this PID namespace.

    The host name alone will not do: hosted runners and clones of one image share theirs.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        boot, space = f"{uuid.getnode():x}", ""
    host = socket.gethostname().replace(":", "-")
    return f"{host}-{blake2b(f'{host} {boot} {space}'.encode(), digest_size=4).hexdigest()}"


@cache
def _nonce(pid: int) -> str:  # noqa: ARG001 — a forked child is another worker
    return secrets.token_hex(4)
