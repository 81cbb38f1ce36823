"""Letters sent through the whole program, and beside every message what it should be by our own reckoning.

One newsletter with the sample letters and list, the letters of tests/cases/letters and people who make
trouble; a second one whose own names and texts are as awkward as settings allow; a third that is left by mail; and
one for every other theme.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import yaml

from newsletter.app.letters import Letters
from newsletter.app.newsletter import Newsletter
from newsletter.content.parse import parse
from newsletter.delivery.message import read_delivery_ref
from newsletter.delivery.plan import Claimed
from newsletter.rendering.compile import compile_issue
from newsletter.rendering.edition import Condition, read_edition
from newsletter.rendering.theme import read_theme
from newsletter.settings.read import read_settings
from newsletter.store.editions import SqlEditions
from newsletter.store.planner import SqlPlanner
from newsletter.store.subscribers import SqlPeople
from newsletter.usecases.fill import filler
from tests.acceptance.houses import AWKWARD_HOUSE, BY_MAIL_HOUSE, PLAIN_HOUSE, THEMED_HOUSES, House, with_house
from tests.acceptance.messages import Entity
from tests.acceptance.pages import Page
from tests.acceptance.people import (
    TAGS,
    TRICKS,
    Person,
    combinations,
    mailable,
    read_list,
    spoiled,
    to_csv,
    troublemakers,
)
from tests.acceptance.workplace import Workplace

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "cases" / "letters"
SEGMENTS = "\n".join(
    [
        "",
        'testers = { tags = "hostile" }',
        'combined = { tags = ["combined", "hostile"] }',
        *(f'{tag} = {{ tags = "{tag}" }}' for tag in TAGS),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A letter as its author wrote it. `sent_at` is the pretended instant of its sending."""

    id: str
    text: str
    house: House
    sent_at: datetime

    @cached_property
    def head(self) -> dict[str, str]:
        """The front matter, each value on one line."""
        found = yaml.load(self.text.split("---\n")[1], Loader=yaml.BaseLoader)
        return {name: " ".join(str(value).split()) for name, value in found.items()}

    @property
    def body(self) -> str:
        """What follows the front matter."""
        return self.text.split("---\n", 2)[2]

    @property
    def language(self) -> str:
        return self.head.get("language", "en")

    @property
    def web_version(self) -> str:
        return f"{self.house.site}/letters/{self.id}/"


@dataclass(frozen=True, kw_only=True, repr=False)
class Mail:
    """One message from the outbox, and all that is known about it from elsewhere."""

    raw: bytes
    letter: Letter
    person: Person
    claimed_at: datetime  # as the database has it
    again: bytes  # the same delivery, filled a second time from the database
    source: str = ""  # the page before its styles were inlined, with marks for holes

    def __repr__(self) -> str:
        return f"<{self.letter.id} to {self.person.address}>"

    @cached_property
    def whole(self) -> Entity:
        return Entity(self.raw)

    @cached_property
    def text(self) -> str:
        return self.whole.parts[0].text

    @cached_property
    def html(self) -> str:
        return self.whole.parts[-1].text

    @cached_property
    def page(self) -> Page:
        return Page(self.html)

    @property
    def leave_url(self) -> str:
        """The address for leaving: of a page, or of a mail that says who."""
        house = self.letter.house
        if house.leave_mode == "mailto":
            return f"mailto:{house.mailbox}?subject=leave%20{self.person.leave_token}"
        return f"{house.site}/leave/{self.person.leave_token}"

    def filled(self, template: str) -> str:
        """A text of the letter as this person reads it."""
        return fill(template, self.person)


def fill(template: str, person: Person) -> str:
    """A text with `{{ field | default('x') }}` as *person* reads it; a second, simple reader of expressions."""
    values = {"first_name": person.first_name, "name": person.name, **person.attributes}

    def one(found: re.Match[str]) -> str:
        inner = found[1].strip()
        conditional = re.fullmatch(r"'([^']*)' ~ (\w+) if (\w+) else '([^']*)'", inner)
        if conditional:
            text, shown, asked, otherwise = conditional.groups()
            return text + values.get(shown, "") if values.get(asked) else otherwise
        plain = re.fullmatch(r"(\w+) \| default\(['\"]([^'\"]*)['\"]\)(?: \| truncate\((\d+)\))?", inner)
        assert plain, f"teach tests/acceptance/mailing.py to read {{{{ {inner} }}}}"
        value = values.get(plain[1], "") or plain[2]
        if plain[3] and len(value) > int(plain[3]) + 5:  # Jinja2's leeway: what is only a little longer stays whole
            value = value[: int(plain[3]) - 3].rsplit(" ", 1)[0] + "..."
        return value

    return re.sub(r"\{\{(.*?)\}\}", one, template)


def send_everything(folder: Path) -> list[Mail]:
    """All messages of all newsletters."""
    samples = sorted((ROOT / "issues").glob("????-??-??-*.md"))
    cases = sorted(CASES.glob("*.md"))
    plain = _Post(folder / "plain", PLAIN_HOUSE)
    plain.found(troublemakers(), cases)
    combined = [path for path in cases if "five-conditions" in path.name]  # dear to compile, once is enough
    mails = plain.send([*samples, *(path for path in cases if path not in combined)])
    awkward = _Post(folder / "awkward", AWKWARD_HOUSE)
    awkward.found([*troublemakers()[:4], *combinations()], cases)
    every_kind = [path for path in cases if "every-kind" in path.name]
    mails += awkward.send([*combined, *every_kind])
    by_mail = _Post(folder / "by-mail", BY_MAIL_HOUSE)
    by_mail.found(troublemakers()[:4], cases)
    mails += by_mail.send(every_kind)
    for house in THEMED_HOUSES:
        themed = _Post(folder / f"in {house.theme}", house)
        themed.found(troublemakers()[:4], cases)
        mails += themed.send([path for path in cases if path not in combined])
    return mails


class _Post:
    """One newsletter, from its founding to the messages in its outbox."""

    def __init__(self, root: Path, house: House) -> None:
        self.house = house
        self.workplace = Workplace(root)
        self.people: dict[str, Person] = {}

    def found(self, extra: list[dict[str, str]], cases: Sequence[Path]) -> None:
        root = self.workplace.root
        self.workplace.done("init", str(root))
        toml = root / "newsletter.toml"
        toml.write_text(with_house(toml.read_text(), self.house))
        segments = root / "subscribers" / "segments.toml"
        segments.write_text(segments.read_text() + SEGMENTS + "\n")
        for case in cases:
            (root / "issues" / case.name).write_text(case.read_text())
        self.workplace.done("db", "upgrade")
        more = root / "more.csv"
        more.write_bytes(to_csv(extra).encode())
        sample = root / "subscribers" / "sample.csv"
        for path in (sample, more):
            self.workplace.done("subscribers", "import", str(path), "--evidence", "invented for a test")
        self._spoil()
        tokens = dict(self.rows("SELECT address, leave_token FROM subscribers"))
        self.people = {
            address: replace(spoiled(person), leave_token=tokens[address])
            for address, person in mailable([*read_list(sample), *extra]).items()
        }

    def _spoil(self) -> None:
        """Write the tricks into the database as they are: no list, form or older version is trusted to stop them."""
        for trick, value in TRICKS.items():
            attributes = json.dumps({"city": value})
            self.rows(
                "UPDATE subscribers SET name = ?, first_name = ?, attributes = ? WHERE address = ?",
                *(value, value, attributes, f"trick.{trick}@example.org"),
            )

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Straight from the database file, past the program."""
        connection = sqlite3.connect(self.workplace.root / "subscribers" / "newsletter.db")
        try:
            with connection:
                return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def send(self, letters: Sequence[Path]) -> list[Mail]:
        mails = []
        for path in letters:
            day = path.name[:10]
            sent_at = datetime.fromisoformat(f"{day}T20:00:00+00:00")  # past eight in all zones, and within 36 hours
            letter = Letter(id=path.stem, text=path.read_text(), house=self.house, sent_at=sent_at)
            for verb in (("approve", letter.id), ("send", letter.id, "--yes")):
                self.workplace.done(*verb, now=sent_at.isoformat())
            mails += self._collect(letter)
        return mails

    def _collect(self, letter: Letter) -> list[Mail]:
        mails = []
        with Newsletter(read_settings(self.workplace.root)) as newsletter:
            issue = SqlPlanner(newsletter.database).planned(letter.id)
            assert issue is not None
            edition = read_edition(SqlEditions(newsletter.database).get(issue.edition_hash))
            fill = filler(edition, newsletter.links_for(edition.identity))
            everyone = {person.address: person for person in SqlPeople(newsletter.database).everyone()}
            pages = uninlined(newsletter, letter)
            claims = self._claims(issue.no)
            for path in self.workplace.outbox(letter.id):
                raw = path.read_bytes()
                address = re.findall(r"[^\s<>]+@[^\s<>]+", Entity(raw).value("To"))[-1]
                seq = read_delivery_ref(path.stem, secret=issue.secret)
                assert seq is not None
                claimed = Claimed(seq=seq, person=everyone[address])
                batch = fill.one(issue, claimed, claimed_at=claims[seq])
                (row,) = batch.rows
                mails.append(
                    Mail(
                        raw=raw,
                        letter=letter,
                        person=self.people[address],
                        claimed_at=claims[seq],
                        again=batch.message(row),
                        source=pages[row.variant],
                    )
                )
        missed = self._audience(letter) ^ {mail.person.address for mail in mails}
        assert not missed, f"{letter.id}: mailed and should not, or the other way round: {missed}"
        return mails

    def _claims(self, number: int) -> dict[int, datetime]:
        """When each delivery of an issue was first claimed."""
        return {
            seq: datetime.fromtimestamp(int(str(claimed_at)), UTC)
            for lo, hi, claimed_at in self.rows("SELECT lo, hi, claimed_at FROM batches WHERE issue_no = ?", number)
            for seq in range(int(str(lo)), int(str(hi)))
        }

    def _audience(self, letter: Letter) -> set[str]:
        wanted = {"everyone": None, "testers": {"hostile"}, "combined": {"combined", "hostile"}}
        tags = wanted[letter.head.get("audience", "everyone")]
        return {address for address, person in self.people.items() if tags is None or person.tags & tags}


def uninlined(newsletter: Newsletter, letter: Letter, finish: Callable[[str], str] = str) -> list[str]:
    """The pages of a letter, one for each variant, as they are before the styles are inlined."""
    desk = Letters(newsletter).read("2026-11-23-renew-your-goals").desk
    issue, _ = parse(letter.text, path="issues/a.md", issue_id=letter.id, defaults=desk.defaults)
    theme = read_theme(desk.theme_name, desk.theme_files, language=issue.language)
    rules = {f"segment:{name}": rule for name, rule in desk.segments.items()}
    audience = Condition(name=issue.audience, rule={})
    edition, problems = compile_issue(
        issue, theme=theme, setting=desk.setting, audience=audience, rules=rules, finish=finish
    )
    assert edition is not None, problems
    return [variant.html for variant in edition.variants]
