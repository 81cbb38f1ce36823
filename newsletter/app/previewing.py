"""A letter as it is being written: built again whenever one of its files was saved, filled for whoever is asked for.

Nothing is ever written: the database is opened for reading only, the state in Git is not fetched, and links that
belong to a reader are examples, so that trying them out cannot take anybody off the list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Self

from newsletter.app.copies import Good
from newsletter.app.faults import as_problem
from newsletter.app.letters import Letters, Source
from newsletter.app.onlooking import Onlooker
from newsletter.app.readers import FOUND, Faces, Reader, invented
from newsletter.content.frontmatter import split
from newsletter.content.issue import Level, Problem, Span
from newsletter.errors import NewsletterError, NotFound, StoreError
from newsletter.rendering.images import names_in
from newsletter.settings.read import FILE, Settings, read_settings
from newsletter.sources.files import Workspace, issue_id
from newsletter.sources.pictures import file_of
from newsletter.sources.watching import Look, look_at
from newsletter.usecases.build import Built
from newsletter.usecases.fill import filler

LOOK_EVERY_S = 0.03
SETTLE_S = 0.006  # editors empty a file and fill it again; who looks in between sees half of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A letter one can look at. `day` is "" for a part of a series."""

    issue_id: str
    title: str
    day: str
    series: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A letter as it stands: number *number* of what was seen of it. `good` may be older than the problems."""

    number: int
    path: str
    good: Good | None
    fresh: bool  # `good` is of this save
    problems: tuple[Problem, ...]
    texts: Mapping[str, str]  # of the letter, and of every file that a problem is in


class Previewing:
    """The letters of one newsletter, while they are being written. Use it as a context; it closes what it opened."""

    def __init__(self, root: Path) -> None:
        """Look at the newsletter in *root*. Raises SettingsError."""
        self._root = root
        self.workspace = Workspace(root)
        self._here = Onlooker(read_settings(root))
        self._settings_look = look_at(root, [FILE])
        self._lock = Lock()
        self.building = Lock()  # one letter at a time, so that what is noted meanwhile is of that letter
        self._views: dict[str, View] = {}
        self.faces = Faces()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close the database, if it was opened."""
        self._here.__exit__(None)

    @property
    def settings(self) -> Settings:
        """The newest settings that could be read."""
        return self._here.settings

    def clock(self) -> datetime:
        """Now; the pretended time where one is set."""
        return self._here.clock()

    def newsletter(self) -> Onlooker:
        """The newsletter by its newest settings. Raises SettingsError."""
        with self._lock:
            look = look_at(self._root, [FILE])
            if look != self._settings_look:
                fresh = Onlooker(read_settings(self._root))
                self._here.__exit__(None)
                self._here, self._settings_look = fresh, look
            return self._here

    def choices(self) -> list[Choice]:
        """All letters, newest first, and then the parts of the series in their order."""
        files = self.workspace
        found = [*reversed(files.letter_ids())]
        for series in files.series():
            with suppress(NewsletterError):  # one that cannot be read must not hide the others; `check` says why
                found += files.parts(series)
        return [self._choice(each) for each in found]

    def _choice(self, letter: str) -> Choice:
        try:
            _, path, text = self.workspace.letter(letter)
            title = split(text, path, []).values.get("title", "")
        except NewsletterError:
            title = ""
        series, dot, _ = letter.partition(".")
        return Choice(
            issue_id=letter, title=title or letter, day="" if dot else letter[:10], series=series if dot else ""
        )

    def view(self, name: str) -> View:
        """The letter *name* (an id, or a path). Raises NotFound."""
        with self._lock:
            known = self._views.get(issue_id(name))
        if known:  # also one that is gone just now: it may come back at the next save
            return known
        try:
            _, path, _ = self.workspace.letter(name)
        except NotFound:
            raise
        except NewsletterError as err:  # it is there, and what is wrong with it is shown
            path = err.at.partition(":")[0]
        with self._lock:
            return self._views.setdefault(issue_id(name), View(self, issue_id(name), path))

    def readers(self) -> tuple[Reader, ...]:
        """Those who are invented."""
        return invented(sorted(self.settings.fields))

    def reader(self, key: str) -> Reader:
        """The reader with this key; the usual one where nobody has it."""
        readers = self.readers()
        return next((each for each in readers if each.key == key), None) or self.faces.find(key) or readers[0]

    def people(self, words: str) -> tuple[list[Reader], str]:
        """Those on the list who may be mailed and whose name or address holds *words*; or why nobody can be asked."""
        try:
            here = self.newsletter()
            if not here.has_database():
                return [], here.refusal or "there is no list yet; make it: newsletter db upgrade"
            from newsletter.store.subscribers import SqlPeople

            people = SqlPeople(here.database)  # opened before a word is typed, so that the first is not slow
            found = people.called(words, limit=FOUND, now=here.clock()) if words else []
        except NewsletterError as err:
            return [], str(err)
        return self.faces.know(found), ""


class View:
    """One letter under the eyes of its editor."""

    def __init__(self, desk: Previewing, letter: str, path: str) -> None:
        """Look at the letter with the id *letter* in the file *path*."""
        self.issue_id = letter
        self._desk = desk
        self._path = path
        self._lock = Lock()
        self._names = {path, FILE}
        self._looks: dict[str, Look] = {}
        self._sight = Sight(number=0, path=path, good=None, fresh=False, problems=(), texts={})

    def now(self) -> Sight:
        """What there is to see now; builds only if a file was saved since the last time."""
        with self._lock:
            looks = self._look()
            if looks != self._looks:
                self._looks = self._settled(looks)
                self._sight = self._see()
            return self._sight

    def after(self, number: int, *, wait_s: float, stop: Callable[[], bool] = lambda: False) -> Sight:
        """What there is to see once it is not number *number* any more, or when so long has passed."""
        until = time.monotonic() + wait_s
        while (sight := self.now()).number == number and time.monotonic() < until and not stop():
            time.sleep(LOOK_EVERY_S)
        return sight

    def _look(self) -> dict[str, Look]:
        return look_at(self._desk.settings.root, sorted(self._names))

    def _settled(self, looks: dict[str, Look]) -> dict[str, Look]:
        for _ in range(20):
            time.sleep(SETTLE_S)
            again = self._look()
            if again == looks:
                break
            looks = again
        return looks

    def _see(self) -> Sight:
        before = self._sight
        texts: dict[str, str] = {}
        try:
            built, source = self._build()
        except Exception as err:  # noqa: BLE001 - a page stays open all day, whatever one save brings
            problem = as_problem(err, text_of=self._text)
            problems: tuple[Problem, ...] = (problem,)
            good = before.good
            text = self._text(self._path) or ""
        else:
            problems, text = built.problems, source.text
            good = self._good(built, source) or before.good
        texts[self._path] = text
        for name in {problem.at.path for problem in problems} - texts.keys():
            if (other := self._text(name)) is not None:
                texts[name] = other
        fresh = good is not before.good
        return replace(
            before, number=before.number + 1, good=good, fresh=fresh, problems=_by_level(problems), texts=texts
        )

    def _build(self) -> tuple[Built, Source]:
        here = self._desk.newsletter()
        with self._desk.building:
            here.workspace.forget()
            try:
                return self._built_by(here)
            finally:
                self._names |= here.workspace.names
                self._looks |= here.workspace.looks

    def _built_by(self, here: Onlooker) -> tuple[Built, Source]:
        letters = Letters(here)
        source = letters.read(self.issue_id)
        try:
            built = letters.checked(source)
        except StoreError:  # the letter can be seen all the same
            built = source.build()
        for name in names_in(built.issue):  # also those that are not there, and not read therefore
            with suppress(NewsletterError):
                here.workspace.note(file_of(source.path, name))
        if not here.refusal:
            return built, source
        unasked = Problem(at=Span(FILE), what=f"the list cannot be asked: {here.refusal}", level=Level.WARNING)
        return replace(built, problems=(*built.problems, unasked)), source

    def _good(self, built: Built, source: Source) -> Good | None:
        if built.edition is None or built.cut is None:
            return None
        fill = filler(built.edition, Letters(self._desk.newsletter()).example_links, cut=built.cut)
        pictures = source.pictures.contents(image.file for image in built.edition.images)
        return Good(edition=built.edition, fill=fill, pictures=pictures, at=datetime.now(UTC))

    def _text(self, name: str) -> str | None:
        try:
            return self._desk.workspace.optional(name) if name in self._looks else None
        except NewsletterError:
            return None


def _by_level(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """*problems*, the gravest first, and of one level in the order of their lines."""
    return tuple(sorted(problems, key=lambda problem: list(Level).index(problem.level)))
