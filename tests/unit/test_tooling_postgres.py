import subprocess
import sys

import psycopg
import pytest

from tests.conftest import NOW
from tests.postgres import Postgres, find_binaries


def test_rows_survive_a_crash(postgres: Postgres):
    with psycopg.connect(postgres.url().replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE TABLE crashed AS SELECT 42 AS answer")
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        postgres.crash()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with psycopg.connect(postgres.url().replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT answer FROM crashed").fetchone() == (42,)
        connection.execute("DROP TABLE crashed")


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_an_empty_database(postgres_url, turn):
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE mine (n int)")  # would fail the second time in a used database


def test_both_databases_are_offered(database_url):
    assert database_url.startswith(("sqlite:///", "postgresql+psycopg://"))


def test_now_is_frozen_and_aware(now):
    assert now == NOW
    assert now.utcoffset() is not None


@pytest.fixture
def outside(tmp_path, request):
    """Runs a test file of its own under our conftest, in another process."""

    def run(source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_outside.py").write_text(source)
        command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", request.config.inipath, *arguments]
        command += ["--rootdir", tmp_path, "-p", "no:cacheprovider", tmp_path / "test_outside.py"]
        return subprocess.run(command, cwd=request.config.rootpath, capture_output=True, text=True, check=False)

    return run


NEEDY = """
import pytest
@pytest.mark.needs("no-such-program")
def test_it(): pass
"""


def test_a_missing_program_skips_and_is_named_in_the_summary(outside):
    done = outside(NEEDY)
    assert done.returncode == 0, done.stdout
    assert "1 test(s) need no-such-program (Debian: apt install no-such-program)" in done.stdout


def test_a_missing_program_fails_with_all(outside):
    done = outside(NEEDY, "--all")
    assert done.returncode == 1, done.stdout
    assert "no-such-program is not on this machine" in done.stdout


def test_the_servers_folder_is_gone_at_its_end():
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL here")
    with Postgres(binaries) as server:
        home, port = server._home, server.port
        assert home.is_dir()
        assert port
    assert not home.exists()
