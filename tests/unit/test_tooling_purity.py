"""Nouns and verbs take `now`, text and bytes, and give values: they open, read, print and wait for nothing."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = ("audience", "content", "delivery", "rendering", "usecases", "errors.py", "pieces.py", "schedule.py")

# What an effect is called at home, whatever name it was imported under.
EFFECTS = {
    "open", "input", "print", "io.open", "os.getenv", "os.environ", "os.open", "sys.stdin", "sys.stdout", "sys.stderr",
    "datetime.date.today", "datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow",
    "time.monotonic", "time.perf_counter", "time.sleep", "time.time", "time.time_ns", "time.localtime",
    "pathlib.Path.cwd", "pathlib.Path.home", "http.client", "http.server", "urllib.request", "uuid.uuid1",
}  # fmt: skip
# Packages that only the edge may import; pyproject.toml forbids them too, in words for lint-imports.
PACKAGES = {"click", "requests", "rich", "shutil", "smtplib", "socket", "sqlalchemy", "sqlite3", "subprocess"}
# Methods of a path, on whatever object: a port of ours gets a name of its own.
METHODS = {
    "read_bytes", "read_text", "write_bytes", "write_text", "open", "mkdir", "unlink", "iterdir", "glob", "rglob",
    "exists", "is_file", "is_dir", "stat",
}  # fmt: skip
# What is known and meant, with its reason.
KNOWN = {
    # premailer takes the size of its cache from there, once, when it is imported
    ("newsletter/rendering/inline.py", "os.environ"),
}


def effects(source: str) -> list[str]:
    """The effects a module reaches for, as "line: name"."""
    tree = ast.parse(source)
    origin: dict[str, str] = {}  # local name -> where it comes from
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                origin[name.asname or name.name.split(".")[0]] = name.name if name.asname else name.name.split(".")[0]
                found += [(node.lineno, name.name)]
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                origin[name.asname or name.name] = f"{node.module}.{name.name}"
                found += [(node.lineno, node.module), (node.lineno, f"{node.module}.{name.name}")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
            first, *rest = ast.unparse(node).split(".")
            found += [(node.lineno, ".".join([origin.get(first, first), *rest]))]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            found += [(node.lineno, f"….{node.func.attr}()")]
    return [
        f"{line}: {name}" for line, name in sorted(set(found)) if name in EFFECTS | PACKAGES or name.startswith("….")
    ]


def pure_files() -> list[Path]:
    package = ROOT / "newsletter"
    return [
        file for room in PURE for file in sorted([package / room, *(package / room).rglob("*.py")]) if file.is_file()
    ]


@pytest.mark.parametrize("file", pure_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_noun_or_verb_has_no_effects(file):
    name = str(file.relative_to(ROOT))
    found = effects(file.read_text("utf-8"))
    assert [each for each in found if (name, each.split(": ")[1]) not in KNOWN] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("open('people.csv')", ["1: open"]),
        ("print('hello')", ["1: print"]),
        ("from datetime import datetime\ndatetime.now()", ["2: datetime.datetime.now"]),
        ("import datetime as dt\ndt.datetime.now(dt.UTC)", ["2: datetime.datetime.now"]),
        ("clock = __import__\nimport time\ndefault = time.time", ["3: time.time"]),
        ("from time import sleep as wait\nwait(3)", ["1: time.sleep", "2: time.sleep"]),
        ("from pathlib import Path\nPath('a').read_text()", ["2: ….read_text()"]),
        ("def f(folder):\n    (folder / 'a').write_bytes(b'')", ["2: ….write_bytes()"]),
        ("import sqlite3", ["1: sqlite3"]),
        ("from requests import get", ["1: requests"]),
        ("import urllib.request", ["1: urllib.request"]),
        ("from http import client", ["1: http.client"]),
        ("import os\nos.environ['HOME']", ["2: os.environ"]),
    ],
)
def test_the_check_can_fail(source, found):
    assert effects(source) == found


@pytest.mark.parametrize(
    "source",
    [
        "def due(now): return now.replace(hour=8)",
        "from urllib.parse import quote\nquote('a')",
        "def send(clock): clock.sleep(3)",  # a port that the edge fills
        "from datetime import datetime\ndatetime.fromisoformat('2026-11-23')",
    ],
)
def test_values_and_ports_are_allowed(source):
    assert effects(source) == []
