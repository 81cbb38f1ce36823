"""`./nl drill`: by every provider, on both databases, with one sender and with two, while things are killed."""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from itertools import product
from pathlib import Path

from tests.drill.runners import Runners
from tests.drill.scene import SETTINGS, Found, Scene
from tests.drill.year import Year
from tests.postgres import Postgres, find_binaries

COLUMNS = ("provider", "database", "senders", "people", "kills", "accepted", "in doubt", "twice", "lost", "wrong", "s")


def main() -> int:
    """Play all scenes and print what came of them; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="./nl drill", description=__doc__)
    parser.add_argument("providers", nargs="*", metavar="PROVIDER", help=", ".join(SETTINGS))
    parser.add_argument("--database", action="append", choices=["sqlite", "postgresql", "git"], help="only on this")
    parser.add_argument("--kills", type=int, default=500, help="in all scenes together (500)")
    parser.add_argument("--people", type=int, default=5000, help="in each scene (5000)")
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--year", action="store_true", help="instead: a year of Mondays, with a list that changes")
    parser.add_argument("--runners", action="store_true", help="instead: the steps of send.yml, with the state in Git")
    asked = parser.parse_args()
    if asked.year:
        return a_year(people=2 * asked.people, kills=asked.kills, seed=asked.seed)
    if asked.runners:
        return on_runners(asked.providers or ["resend"], kills=asked.kills, people=asked.people, seed=asked.seed)
    scenes = list(product(asked.providers or SETTINGS, asked.database or ("sqlite", "postgresql"), (1, 2)))
    kills = -(-asked.kills // len(scenes))
    print(("{:<9} {:<11}" + " {:>8}" * 9).format(*COLUMNS), flush=True)
    everything: list[Found] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        binaries = find_binaries()
        if binaries is None:
            print("There is no PostgreSQL on this machine.", file=sys.stderr)
            return 1
        server = stack.enter_context(Postgres(binaries))
        for number, (provider, database, senders) in enumerate(scenes):
            home = folder / f"scene{number}"
            name = f"drill{number}"
            if database == "postgresql":
                server.create(name)
            scene = Scene(
                home,
                provider,
                people=asked.people,
                senders=senders,
                postgres=server if database == "postgresql" else None,
                url={
                    "sqlite": f"sqlite:///{home}/subscribers/newsletter.db",
                    "postgresql": server.url(name),
                    "git": "git+age",
                }[database],
                seed=asked.seed + number,
            )
            everything.append(scene.play(kills))
            show(everything[-1])
    total = sum(found.kills.total() for found in everything)
    victims = sum((found.kills for found in everything[1:]), everything[0].kills)
    print(f"{total} kills: " + ", ".join(f"{count} of a {name}" for name, count in sorted(victims.items())))
    return 0 if all(found.good for found in everything) else 1


def on_runners(providers: list[str], *, kills: int, people: int, seed: int) -> int:
    """By the workflow alone; 1 if a promise was broken."""
    print(("{:<9} {:<11}" + " {:>8}" * 9).format(*COLUMNS), flush=True)
    good = True
    for provider in providers:
        with tempfile.TemporaryDirectory() as folder:
            found = Runners(Path(folder) / "letters", provider, people=people, seed=seed).play(kills)
        show(found)
        good = good and found.good
    return 0 if good else 1


def a_year(*, people: int, kills: int, seed: int) -> int:
    """Fifty-two weeks; 1 if a promise was broken."""
    with tempfile.TemporaryDirectory() as folder:
        found = Year(Path(folder) / "letters", people=people, weeks=52, kills=kills, seed=seed).live()
    for name, value in asdict(found).items():
        print(f"{name.replace('_', ' '):<12} {value:>12,.0f}")
    return 0 if found.good else 1


def show(found: Found) -> None:
    """One line."""
    numbers = (
        found.senders,
        found.people,
        found.kills.total(),
        found.accepted,
        found.in_doubt,
        found.twice,
        found.lost,
        found.wrong,
        f"{found.seconds:.0f}",
    )
    print(f"{found.provider:<9} {found.database:<11}" + "".join(f" {number:>8}" for number in numbers), flush=True)


if __name__ == "__main__":
    sys.exit(main())
