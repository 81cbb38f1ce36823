"""Whether everybody can read a Git remote: asked as nobody in particular, without any credentials."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from newsletter.store.gitcommand import git

# https://token@host/owner/name and git://host/name; ssh://git@host:22/owner/name; git@host:owner/name, host:owner/name
_WEB = re.compile(r"(https?|git)://(?:[^/@]*@)?(.+)")
_SSH = re.compile(r"(?:git\+)?ssh://(?:[^/@]*@)?([^/:]+)(?::\d+)?/(.+)|(?:[^/@:]*@)?([\w.-]{2,}):(?!//)/?(.+)")
_DOORS = re.compile(r"^(?:alt)?ssh\.")  # the name under which a host takes ssh on the port of the web

_AS_NOBODY = ("-c", "credential.helper=", "-c", "http.extraHeader=", "-c", "core.askPass=")
_NO_SETTINGS = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_COUNT": "0",
    "GIT_CONFIG_PARAMETERS": "",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "HOME": "/nonexistent",  # where curl would look for a .netrc
}


def is_public(url: str) -> bool:
    """Whether anybody may read the repository at *url*; False where that cannot be asked, as of a folder."""
    place = asked_at(url)
    if place is None:
        return False
    with tempfile.TemporaryDirectory(prefix="newsletter-") as nowhere:
        alone = _NO_SETTINGS | {"GIT_CEILING_DIRECTORIES": str(Path(nowhere).resolve().parent)}
        return git(Path(nowhere), *_AS_NOBODY, "ls-remote", "--heads", "--", place, places=alone, remote=True).code == 0


def asked_at(url: str) -> str | None:
    """Where strangers would read the repository at *url*: over the web also where we come by ssh; None of a folder."""
    if web := _WEB.fullmatch(url):
        return f"{web[1]}://{web[2]}"
    if ssh := _SSH.fullmatch(url):
        host, path = ssh[1] or ssh[3], ssh[2] or ssh[4]
        return f"https://{_DOORS.sub('', host)}/{path}"
    return None
