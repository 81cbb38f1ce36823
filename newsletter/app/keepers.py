"""What keeps a database in Git, made from the settings."""

from __future__ import annotations

from pathlib import Path

from newsletter.errors import SettingsError
from newsletter.settings.read import FILE, Settings
from newsletter.store.gitstate import GitState
from newsletter.store.keeper import Keeper


def keeper_of(settings: Settings) -> Keeper:
    """What keeps the database of a newsletter in Git. Raises SettingsError."""
    if not settings.state_recipients:
        hint = 'make a key with: newsletter state key; then: recipients = ["age1…"]'
        raise SettingsError("nobody could read the state", at=f"{FILE} [state] recipients", hint=hint)
    if not settings.state_key:
        hint = "it is read from the environment only: the secret key that `newsletter state key` printed"
        raise SettingsError("is not set", at="NEWSLETTER_STATE_KEY", hint=hint)
    state = GitState(
        repository=settings.root,
        remote=settings.state_remote,
        branch=settings.state_branch,
        recipients=settings.state_recipients,
        identity=settings.state_key,
    )
    return Keeper(state, file_of(settings))


def file_of(settings: Settings) -> Path:
    """Where the database lies while it is worked with."""
    return Path(settings.database.removeprefix("sqlite:///"))
