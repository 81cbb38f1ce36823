"""The directions of imports are kept, and the machine that checks them notices when they are not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = ("from importlinter.cli import import_linter as main; main()", "lint", "--no-logo", "--no-cache")


def lint_imports(folder):
    # Our own package stands on the path through the .venv; the folder under test has to come before it.
    command = [sys.executable, "-c", *LINT, "--config", ROOT / "pyproject.toml"]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (folder, ROOT)))}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_our_own_house_is_in_order():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def house(tmp_path):
    """A small package called newsletter, from {module: source}."""

    def build(**modules: str) -> Path:
        rooms = "audience/who content/issue delivery/plan rendering/page usecases/send store/db errors pieces schedule"
        wanted = dict.fromkeys(f"{rooms} providers/smtp sources/files settings app cli/main".split(), "")
        wanted |= {name.replace("__", "/"): text for name, text in modules.items()}
        for name, text in wanted.items():
            file = tmp_path / "newsletter" / f"{name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            (file.parent / "__init__.py").touch()
            (tmp_path / "newsletter" / "__init__.py").touch()
            file.write_text(text)
        return tmp_path

    return build


def test_the_planned_arrows_are_kept_with_and_without_the_web_door(house):
    arrows = {
        "app": "import newsletter.usecases.send, newsletter.store.db, newsletter.providers.smtp, newsletter.settings",
        "usecases__send": "import newsletter.delivery.plan, newsletter.content.issue, newsletter.schedule",
        "store__db": "import sqlalchemy, newsletter.audience.who, newsletter.errors",
        "rendering__page": "import premailer, newsletter.content.issue, newsletter.pieces",
        "pieces": "import newsletter.errors",
        "cli__main": "import newsletter.app, click",
    }
    done = lint_imports(house(**arrows))
    assert done.returncode == 0, done.stdout + done.stderr
    done = lint_imports(
        house(**arrows | {"web__leave": "import newsletter.app", "cli__run": "import newsletter.web.leave"})
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("store__db", "import newsletter.usecases.send", "store -> usecases is not in the table"),
        ("store__db", "import newsletter.schedule", "store -> schedule is not in the table"),
        ("usecases__send", "import newsletter.store.db", "usecases -> store is not in the table"),
        ("usecases__send", "import newsletter.settings", "usecases -> settings is not in the table"),
        ("providers__smtp", "import newsletter.audience.who", "providers -> audience is not in the table"),
        ("sources__files", "import newsletter.content.issue", "sources -> content is not in the table"),
        ("rendering__page", "import newsletter.delivery.plan", "rendering -> delivery is not in the table"),
        ("audience__who", "import newsletter.content.issue", "audience -> content is not in the table"),
        ("content__issue", "import newsletter.pieces", "content -> pieces is not in the table"),
        ("errors", "import newsletter.pieces", "errors -> pieces is not in the table"),
        ("web__leave", "import newsletter.cli.main", "web -> cli is not in the table"),
        ("web__leave", "import newsletter.cli.main", "Imports go down only BROKEN"),
        ("utils", "", "newsletter.utils has no line in the table"),
        ("content__feeds", "import requests", "newsletter.content.feeds is not allowed to import requests"),
        ("usecases__tick", "from rich import print", "newsletter.usecases.tick is not allowed to import rich"),
    ],
)
def test_an_arrow_that_is_not_on_the_plan_breaks_the_contract(house, module, source, complaint):
    done = lint_imports(house(**{module: source}))
    assert done.returncode == 1, done.stdout + done.stderr
    # The report wraps its lines to the width of a screen.
    assert complaint in " ".join(done.stdout.split())
