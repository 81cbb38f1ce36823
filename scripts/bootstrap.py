"""Sets up the checkout's .venv from the hashed locks, once, and hands over to what was asked for.

Standard library only: it runs before anything is installed.  Called by ../nl.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn, TextIO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "nl-stamps"  # one digest a line for every lock that is fully installed
SITE = VENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
BASE = str(getattr(sys, "_base_executable", sys.executable))  # not the .venv's: that one may be thrown away
RUNTIME = ROOT / "requirements.lock"
TEST = ROOT / "requirements-test.lock"


class SetupError(Exception):
    """One line for the person: what is missing and what to do."""


def main(arguments: list[str]) -> None:
    """Never comes back where a program takes over; comes back after a clean `lint`."""
    command, *rest = arguments or [""]
    if command == "lint":
        set_up(RUNTIME, TEST)
        lint(fix="--fix" in rest)
    elif command == "test":
        set_up(RUNTIME, TEST)
        os.chdir(ROOT)
        # All of them side by side: half of their time they wait for something. Some of them one after another.
        everything = all(word.startswith("-") for word in rest)
        become("-m", "pytest", *(["-n", "3", "--dist", "worksteal"] if everything else []), *rest)
    elif command == "drill":
        set_up(RUNTIME, TEST)
        os.chdir(ROOT)
        become("-m", "tests.drill", *rest)
    elif command == "demo":
        set_up(RUNTIME)
        become(str(ROOT / "scripts" / "demo.py"), *rest)
    else:
        set_up(RUNTIME)
        become("-m", "newsletter", *arguments)


def become(*arguments: str) -> NoReturn:
    """Replaces this process, so that arguments, exit code, signals and folder are the program's own."""
    # -P: a file called email.py in the user's folder must not shadow the standard library.
    os.execv(PYTHON, [str(PYTHON), "-P", *arguments])  # noqa: S606  no shell is wanted


def lint(*, fix: bool) -> None:
    """Runs every checker, also after one has failed, and exits 1 if any did."""
    os.chdir(ROOT)
    checks = {
        "ruff check": ["-m", "ruff", "check", "--output-format=concise", *(["--fix"] if fix else [])],
        "ruff format": ["-m", "ruff", "format", *([] if fix else ["--check"])],
        "mypy": ["-m", "mypy"],
        # It has no -m of its own, and its script's first line breaks when the checkout moves.
        # Like mypy it finds scripts/ from this folder, hence no -P here.
        "imports": ["-c", "from importlinter.cli import import_linter as main; main()", "lint", "--no-logo"],
    }
    failed = []
    for name, arguments in checks.items():
        print(f"nl: {name}", file=sys.stderr, flush=True)
        if subprocess.run([PYTHON, *arguments], check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"nl: lint failed: {', '.join(failed)}")


def set_up(*locks: Path) -> None:
    """Makes the .venv hold every lock; costs two small file reads where it already does."""
    if missing(locks):
        try:
            VENV.mkdir(exist_ok=True)
            with (VENV / "nl-lock").open("w") as guard:
                wait_for(guard)
                install(missing(locks))
        except PermissionError as err:
            raise SetupError(f"cannot write {err.filename or VENV}: set up in a checkout you may write to") from err
        except OSError as err:
            raise SetupError(f"cannot set up {VENV}: {err.strerror or err}") from err


def wait_for(guard: TextIO) -> None:
    """Comes back once no other start is setting up; what that one installed is then no longer missing."""
    os.set_inheritable(guard.fileno(), True)  # noqa: FBT003  where we are killed, the pip we leave behind still holds it
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("nl: waiting for another start that is setting up …", file=sys.stderr, flush=True)
        fcntl.flock(guard, fcntl.LOCK_EX)


def missing(locks: tuple[Path, ...]) -> list[Path]:
    """The locks not yet installed for this very Python, in the order given."""
    done = STAMPS.read_text().split() if STAMPS.is_file() and os.access(PYTHON, os.X_OK) else []
    return [lock for lock in locks if digest(lock) not in done]


def digest(lock: Path) -> str:
    """What a lock and this Python amount to: either one changes, the stamp no longer fits."""
    return hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()


def install(locks: list[Path]) -> None:
    """Installs the locks, into a new .venv unless a whole one is there."""
    if not locks:
        return
    print("nl: setting up (once) …", file=sys.stderr, flush=True)
    pip = working_pip() if STAMPS.is_file() else None
    if pip is None:
        pip = build_venv()
    done = [lock for lock in (RUNTIME, TEST) if lock not in locks and not missing((lock,))]
    STAMPS.unlink(missing_ok=True)  # no stamps = interrupted half-way = built anew next time
    for lock in locks:
        run(
            [*pip, "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", str(lock)],
            else_say="could not install the packages (is the network there?)",
        )
    # Relative to site-packages, so that a moved checkout still finds its own package.
    (SITE / "newsletter-checkout.pth").write_text("../../../..\n")
    STAMPS.write_text("\n".join(map(digest, [*done, *locks])) + "\n")
    hint = f"alias newsletter='{ROOT / 'nl'}'"
    print(f"nl: ready. To type commands as they are printed: {hint}", file=sys.stderr, flush=True)


def build_venv() -> list[str]:
    """The pip command of a new, empty .venv."""
    attempts = (
        [BASE, "-Im", "venv", str(VENV)],
        [BASE, "-Im", "venv", "--without-pip", str(VENV)],  # Debian without python3-venv but with python3-pip
        [BASE, "-Im", "virtualenv", "--quiet", str(VENV)],
    )
    for attempt in attempts:
        for child in VENV.iterdir():
            if child.name == "nl-lock":
                continue  # held by us; another start may be waiting for it
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            else:
                child.unlink()
        if quietly(attempt).returncode == 0 and (pip := working_pip()):
            return pip
    if platform.system() == "Linux" and shutil.which("apt"):
        advice = "apt install python3-venv"
    elif platform.system() == "Darwin":
        advice = "brew install python"
    else:
        advice = "install your system's package for Python's venv module (or: virtualenv)"
    raise SetupError(f"this Python cannot make virtual environments: {advice}")


def working_pip() -> list[str] | None:
    """The pip command for the .venv: its own, or else this Python's; None where neither runs."""
    own, foreign = [str(PYTHON), "-Im", "pip"], [BASE, "-Im", "pip", "--python", str(PYTHON)]
    for pip in (own, foreign):
        if PYTHON.exists() and SITE.is_dir() and quietly([*pip, "--version"]).returncode == 0:
            return pip
    return None


def quietly(command: list[str]) -> subprocess.CompletedProcess[str]:
    """The finished command with its output kept."""
    env = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_USER": "0"}
    home = Path(os.environ.get("HOME") or "/nonexistent")
    if "PIP_CACHE_DIR" not in env and not os.access(home, os.W_OK):
        env["PIP_NO_CACHE_DIR"] = "1"  # no home, no cache: a build account must not get a /nonexistent folder
    try:
        return subprocess.run(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            close_fds=False,  # see wait_for
        )
    except OSError as err:  # a venv whose Python is gone
        return subprocess.CompletedProcess(command, 127, "", str(err))


def run(command: list[str], *, else_say: str) -> None:
    """Nothing, when the command succeeded; else shows what it said and gives up."""
    done = quietly(command)
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise SetupError(else_say)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SetupError as error:
        sys.exit(f"nl: {error}")
    except KeyboardInterrupt:
        sys.exit(130)  # the next start sets up anew
