"""Settings: every key has its place, secrets come from outside, and a pretended time never meets real readers."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsletter.errors import SettingsError
from newsletter.settings.keys import KEYS, REQUIRED
from newsletter.settings.read import Settings, find_root, pretended_now, read_settings
from tests.unit.letters import ROOT


def settings(root: Path, content: str | None = None, **environment: str) -> Settings:
    """The settings of a folder with this newsletter.toml, by default the one that comes with the newsletter."""
    (root / "newsletter.toml").write_text(content if content is not None else (ROOT / "newsletter.toml").read_text())
    return read_settings(root, environment)


def test_the_file_that_comes_with_the_newsletter_uses_every_required_key() -> None:
    data = tomllib.loads((ROOT / "newsletter.toml").read_text())
    required = {
        (section, name) for section, keys in KEYS.items() for name, key in keys.items() if key.default is REQUIRED
    }
    assert required <= {
        (section, name) for section in data if isinstance(data[section], dict) for name in data[section]
    }


def test_paths_are_seen_from_the_newsletters_folder(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert found.database == f"sqlite:///{tmp_path}/subscribers/newsletter.db"
    assert found.carrier == {"folder": "outbox"}


def test_the_environment_decides_the_database_and_is_not_repeated_in_errors(tmp_path: Path) -> None:
    url = "postgresql://letters:hunter2@db.example.org/letters"
    assert settings(tmp_path, NEWSLETTER_DATABASE_URL=url).database == url
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, NEWSLETTER_DATABASE_URL="mysql://letters:hunter2@db.example.org/letters")
    assert "hunter2" not in str(refused.value)


def test_keys_come_from_the_environment_or_the_file_and_are_never_shown(tmp_path: Path) -> None:
    key, older = "k" * 40, "o" * 40
    assert settings(tmp_path).secret_keys == ()
    (tmp_path / "subscribers").mkdir()
    (tmp_path / "subscribers" / "secret.key").write_text(older + "\n")
    assert settings(tmp_path).secret_keys == (older.encode(),)
    found = settings(tmp_path, NEWSLETTER_SECRET_KEYS=f"{key} {older}")
    assert found.secret_keys == (key.encode(), older.encode())
    assert key not in repr(found)
    with pytest.raises(SettingsError) as refused:
        settings(tmp_path, NEWSLETTER_SECRET_KEYS="tooshort")
    assert "tooshort" not in str(refused.value)


def test_a_pretended_time_is_for_the_outbox_only() -> None:
    environment = {"NEWSLETTER_NOW": "2026-11-23T20:00:00"}
    assert pretended_now({}, "smtp") is None
    assert pretended_now(environment, "outbox") == datetime(2026, 11, 23, 20, tzinfo=UTC)
    elsewhere = {"NEWSLETTER_NOW": "2026-11-23T20:00:00+09:00"}
    assert pretended_now(elsewhere, "outbox") == datetime(2026, 11, 23, 11, tzinfo=UTC)
    assert pretended_now(elsewhere, "outbox").tzinfo is UTC
    with pytest.raises(SettingsError):
        pretended_now(environment, "smtp")
    with pytest.raises(SettingsError):
        pretended_now({"NEWSLETTER_NOW": "soon"}, "outbox")


@pytest.mark.parametrize(
    ("old", "new", "at"),
    [
        ('url = "https://letters.example.org"', 'url = "http://letters.example.org"', "[site] url"),
        ('address = "letter@letters.example.org"', 'address = "Letter <a@b>"', "[sender] address"),
        ("window_hours = 36", "window_hours = 0", "[schedule] window_hours"),
        ("window_hours = 36", "window_hours = true", "[schedule] window_hours"),
        ('time = "08:00"', 'time = "8 o\'clock"', "[schedule] time"),
        ('mode = "own"', 'mode = "none"', "[leave] mode"),
        ('list_id = "monday.letters.example.org"', 'list_id = "monday"', "[sender] list_id"),
        ('name = "outbox"', 'name = "pigeon"', "[provider] name"),
        ("postal_address = [", "postal_address = [1, ", "[sender] postal_address"),
        ('city = "', 'Cíty = "', "newsletter.toml"),
        ('theme = "letter"', 'theme = "../x"', "newsletter.toml"),
        ('name = "The Monday Letter"', 'name = "A\\nBcc: letter@example.org"', "[newsletter] name"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path: Path, old: str, new: str, at: str) -> None:
    content = (ROOT / "newsletter.toml").read_text()
    with pytest.raises(SettingsError) as refused:
        settings(
            tmp_path,
            content.replace(old, new, 1) if old in content else content.replace("[newsletter]", f"[newsletter]\n{new}"),
        )
    assert at in str(refused.value)


def test_leaving_by_mail_needs_a_mailbox(tmp_path: Path) -> None:
    content = (ROOT / "newsletter.toml").read_text().replace('mode = "own"', 'mode = "mailto"')
    assert settings(tmp_path, content).leave_mode == "mailto"
    with pytest.raises(SettingsError, match="needs a mailbox"):
        settings(tmp_path, content.replace('mailto = "leave@letters.example.org"', ""))


def test_commands_find_the_newsletter_from_any_folder_in_it(tmp_path: Path) -> None:
    settings(tmp_path)
    deep = tmp_path / "issues" / "2026"
    deep.mkdir(parents=True)
    assert find_root(deep) == tmp_path
    assert find_root(Path("/")) is None
