"""Whether everybody can read a Git remote: asked as nobody in particular, without any credentials."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from newsletter.store.gitcommand import git

# git@host:owner/name, ssh://git@host/owner/name, https://token@host/owner/name
_PLACES = re.compile(r"(?:(https?)://(?:[^/@]*@)?|ssh://(?:[^/@]*@)?|[\w.-]+@)([\w.-]+(?::\d+(?=/))?)[:/](.+)")
_AS_NOBODY = ("-c", "credential.helper=", "-c", "http.extraHeader=", "-c", "core.askPass=")
_NO_SETTINGS = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "HOME": "/nonexistent",  # where curl would look for a .netrc
}


def is_public(url: str) -> bool:
    """Whether anybody may read the repository at *url*; False where that cannot be asked, as of a folder."""
    found = _PLACES.fullmatch(url)
    if not found:
        return False
    scheme, host, path = found[1] or "https", found[2], found[3]
    with tempfile.TemporaryDirectory(prefix="newsletter-") as nowhere:
        words = (*_AS_NOBODY, "ls-remote", "--heads", "--", f"{scheme}://{host}/{path}")
        return git(Path(nowhere), *words, places=_NO_SETTINGS, remote=True).code == 0
