"""The wheel and the checkout work where only the runtime lock is installed."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import newsletter

ROOT = Path(__file__).parents[2]
# Never in a checkout's Git, but easily in its folder.
PRIVATE = ("subscribers/people.csv", "subscribers/export.json", "issues/ledger.db", "templates/state.sqlite3", "x.db")


def run(*command, **options):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The files that Git has or would take, elsewhere, below a folder with a space in its name."""
    to = tmp_path_factory.mktemp("packaging") / "a copy"
    listed = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    return to


@pytest.fixture(scope="module")
def wheel(copy, tmp_path_factory):
    """The wheel of a checkout in which somebody works with real people."""
    for name in PRIVATE:
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text("ada@example.org")
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=copy)
    for name in PRIVATE:
        (copy / name).unlink()
    return next(out.glob("*.whl"))


@pytest.mark.needs("git")
def test_the_wheel_holds_the_package_and_the_starter_and_no_people(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert not [name for name in names if archive.read(name) == b"ada@example.org"]
    assert {name.split("/")[0] for name in names} == {"newsletter", f"newsletter-{newsletter.__version__}.dist-info"}
    starter = {name.removeprefix("newsletter/starter/") for name in names if name.startswith("newsletter/starter/")}
    assert {"newsletter.toml", "subscribers/sample.csv", "subscribers/segments.toml"} <= starter
    parts = {"newsletter.toml", "subscribers", "templates", "issues", ".github", "scripts", "requirements.lock"}
    assert {name.split("/")[0] for name in starter} == parts


@pytest.mark.needs("git")
def test_a_newsletter_begun_from_the_wheel_has_all_it_needs(wheel, tmp_path):
    installed, folder = tmp_path / "installed", tmp_path / "my letter"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    run(sys.executable, "-P", "-m", "newsletter", "init", folder, cwd=tmp_path, env={"PYTHONPATH": str(installed)})
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    listed = run("git", "-C", ROOT, "ls-files", "issues", "templates").stdout.splitlines()
    assert there >= {name for name in listed if ".approval." not in name and ".edition/" not in name}
    assert there >= {".gitignore", "README.md", "nl", "requirements.txt", "requirements.lock", "newsletter.toml"}
    assert there >= {f".github/workflows/{name}.yml" for name in ("send", "pause", "heartbeat")}
    assert ".github/workflows/ci.yml" not in there
    called = re.findall(
        r"(?:\./|\b)(nl|scripts/[\w.]+)\b",
        "".join(path.read_text() for path in (*(folder / ".github").rglob("*.yml"), *(folder / "scripts").iterdir())),
    )
    assert {"nl", "scripts/tick.sh", "scripts/tell.sh", "scripts/heartbeat.py"} <= set(called) <= there
    for program in ("nl", "scripts/tick.sh", "scripts/tell.sh"):
        assert os.access(folder / program, os.X_OK)
    run("git", "init", "--quiet", folder)
    taken = run("git", "-C", folder, "ls-files", "--others", "--exclude-standard").stdout.splitlines()
    assert set(taken) == there - {"subscribers/secret.key"}


@pytest.mark.needs("git")
def test_the_installed_command_needs_no_test_package(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    install = (*working_pip(), "--python", python, "install", "--quiet", "--no-deps", "--only-binary", ":all:")
    run(*install, "--require-hashes", "-r", ROOT / "requirements.lock")
    run(*install, "--no-index", wheel)
    command, elsewhere = python.with_name("newsletter"), {"cwd": tmp_path}
    assert newsletter.__version__ in run(command, "--version", **elsewhere).stdout
    assert "Usage" in run(command, "--help", **elsewhere).stdout
    assert run(command, "-h", **elsewhere).stdout == run(command, "--help", **elsewhere).stdout


def working_pip():
    """A pip: the .venv's own, or that of the Python below it where the .venv was made without."""
    for python in (sys.executable, sys._base_executable):
        if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
            return python, "-m", "pip", "--disable-pip-version-check"
    pytest.skip("there is no pip to install with")
    return None


@pytest.mark.needs("git")
def test_a_clean_copy_starts_by_itself_with_no_home(copy, tmp_path):
    checkout, home = tmp_path / "a path with spaces", tmp_path / "no such home"
    shutil.copytree(copy, checkout)
    start = {"cwd": tmp_path, "env": {"PATH": os.environ["PATH"], "HOME": str(home)}}
    first, second = run(checkout / "nl", "--version", **start), run(checkout / "nl", "--version", **start)
    assert newsletter.__version__ in first.stdout
    assert first.stderr.splitlines() == [
        "nl: setting up (once) …",
        f"nl: ready. To type commands as they are printed: alias newsletter='{checkout / 'nl'}'",
    ]
    assert (second.stdout, second.stderr) == (first.stdout, "")
    assert not (home / ".cache").exists()


def test_the_version_is_written_once():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"] == ["version"]
