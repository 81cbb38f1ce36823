"""Which provider is made of which settings, and what is said where something is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from newsletter.app.carriers import carrier, lanes_of
from newsletter.errors import SettingsError
from newsletter.settings.read import Settings
from newsletter.usecases.ports import Provider
from tests.conftest import NOW
from tests.unit.letters import ROOT
from tests.unit.test_settings import settings

SECTIONS = {
    "outbox": "",
    "smtp": '[smtp]\nhost = "smtp.example.org"\nusername = "letter"\ndkim_selector = "monday"\n',
    "resend": "",
    "mailgun": '[mailgun]\ndomain = "letters.example.org"\nregion = "eu"\n',
    "ses": '[ses]\nregion = "eu-central-1"\n',
}
KEY = ed25519.Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
SECRETS = {
    "outbox": {},
    "smtp": {"NEWSLETTER_SMTP_PASSWORD": "p4ssw0rd-for-tests", "NEWSLETTER_DKIM_KEY": KEY.decode()},
    "resend": {"NEWSLETTER_RESEND_API_KEY": "re_for_tests_only"},
    "mailgun": {"NEWSLETTER_MAILGUN_API_KEY": "key-for-tests-only"},
    "ses": {"AWS_ACCESS_KEY_ID": "AKIATESTSONLY", "AWS_SECRET_ACCESS_KEY": "secret-for-tests"},
}


def set_up(root: Path, name: str, **environment: str) -> Settings:
    """The settings of a newsletter with that provider."""
    text = (ROOT / "newsletter.toml").read_text().partition("[provider]")[0]
    return settings(root, f'{text}[provider]\nname = "{name}"\n\n{SECTIONS[name]}', **environment)


def made(found: Settings) -> Provider:
    return carrier(found, lanes=2, stop=lambda: False, clock=lambda: NOW)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_provider_is_made_of_its_settings(tmp_path: Path, name: str) -> None:
    provider = made(set_up(tmp_path, name, **SECRETS[name]))
    assert provider.name == name
    provider.close()


@pytest.mark.parametrize(("name", "secret"), [(name, secret) for name, all_ in SECRETS.items() for secret in all_])
def test_a_missing_secret_is_named(tmp_path: Path, name: str, secret: str) -> None:
    others = {each: value for each, value in SECRETS[name].items() if each != secret}
    with pytest.raises(SettingsError, match=f"{secret}: is not set"):
        made(set_up(tmp_path, name, **others))


@pytest.mark.parametrize("name", SECTIONS)
def test_secrets_are_never_shown(tmp_path: Path, name: str) -> None:
    shown = repr(set_up(tmp_path, name, **SECRETS[name]))
    assert not [value for value in SECRETS[name].values() if value in shown]


def test_a_missing_section_is_named(tmp_path: Path) -> None:
    text = (ROOT / "newsletter.toml").read_text().partition("[provider]")[0]
    with pytest.raises(SettingsError, match=r"\[smtp\]: 'host' is missing"):
        settings(tmp_path, f'{text}[provider]\nname = "smtp"\n')


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('[resend]\nurl = "http://api.example.org"', "an https:// address"),
        ('[smtp]\nhost = "a b"', "the name or address of a server"),
        ('[smtp]\nhost = "a"\nport = 70000', "a whole number from 1 to 65,535"),
        ('[mailgun]\ndomain = "letters.example.org"\nsandbox = "yes"', "true or false"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(tmp_path: Path, line: str, words: str) -> None:
    text = (ROOT / "newsletter.toml").read_text().partition("[provider]")[0]
    name = line[1 : line.index("]")]
    with pytest.raises(SettingsError, match=words):
        settings(tmp_path, f'{text}[provider]\nname = "{name}"\n\n{line}\n')


def test_the_extra_of_ses_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [each for each in sys.modules if each.startswith("newsletter.providers.ses")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "botocore.auth", None)
    with pytest.raises(SettingsError) as caught:
        made(set_up(tmp_path, "ses", **SECRETS["ses"]))
    assert "extra 'ses'" in caught.value.hint


def test_files_are_written_one_after_another_and_mail_goes_in_lanes(tmp_path: Path) -> None:
    assert lanes_of(set_up(tmp_path, "outbox")) == 1
    assert lanes_of(set_up(tmp_path, "resend", **SECRETS["resend"])) == 2
