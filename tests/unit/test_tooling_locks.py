"""The locks hold what pyproject.toml asks for, by hash, from no particular place."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-test.lock")


def pins(lock):
    """Name -> version."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def names(requirements):
    return {re.match(r"[\w-]+", each)[0].lower().replace("_", "-") for each in requirements}


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place_and_has_a_hash_for_every_pin(lock):
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "index" not in text.lower().replace("find", "")
    assert "sha256:" in text
    entries = re.split(r"\n(?=[a-z])", text)[1:]
    assert len(entries) == len(pins(lock))
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_runtime_lock_covers_both_databases():
    extra = PROJECT["project"]["optional-dependencies"]["postgres"]
    assert names(PROJECT["project"]["dependencies"] + extra) <= set(pins("requirements.lock"))


def test_the_runtime_lock_holds_no_tools():
    extras = {name for extra in PROJECT["project"]["optional-dependencies"].values() for name in names(extra)}
    tools = names(PROJECT["dependency-groups"]["test"]) - extras
    assert tools & set(pins("requirements.lock")) == set()


def test_the_test_lock_covers_everything():
    wanted = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["test"]
    wanted += PROJECT["project"]["optional-dependencies"]["postgres"]
    assert names(wanted) <= set(pins("requirements-test.lock"))


def test_what_was_tested_is_what_runs():
    assert pins("requirements.lock").items() <= pins("requirements-test.lock").items()
