"""One newsletter, open: its settings, its files, its clock, its database."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from newsletter.audience.links import Signer
from newsletter.audience.subscriber import Subscriber
from newsletter.errors import SettingsError, StoreError
from newsletter.rendering.edition import Identity
from newsletter.schedule import Quiet
from newsletter.settings.read import KEY_FILE, Settings
from newsletter.settings.values import WEEKDAYS
from newsletter.sources.files import Workspace, issue_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.store.db import Database
    from newsletter.store.keeper import Keeper
    from newsletter.usecases.fill import LinksOf


Result = TypeVar("Result")

LINK_LIFE = timedelta(days=90)  # of all links in a letter but the one for leaving, which is good for ever


class Newsletter:
    """One newsletter. Use it as a context; it closes what it opened."""

    def __init__(self, settings: Settings) -> None:
        """Work with *settings*; nothing is opened until it is needed."""
        self.settings = settings
        self.workspace = Workspace(settings.root)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, failed: type[BaseException] | None, *_exc: object) -> None:
        """Close the database, if it was opened, and save it where it lives in Git."""
        with ExitStack() as open_:
            if "keeper" in self.__dict__ and self.keeper:
                open_.callback(self.keeper.close)
            if "database" in self.__dict__:
                open_.callback(self.database.close)
                if self.keeper and failed is None:
                    self.keeper.save()

    def clock(self) -> datetime:
        """Now, in UTC; the pretended time where one is set."""
        return self.settings.now or datetime.now(UTC)

    @property
    def window(self) -> timedelta:
        """How long after its due time a letter may still leave."""
        return timedelta(hours=self.settings.window_hours)

    @property
    def quiet(self) -> Quiet:
        """The days on which nothing new begins."""
        days = frozenset(self.settings.quiet)
        return Quiet(weekdays=frozenset(WEEKDAYS.index(day) for day in days & {*WEEKDAYS}), days=days - {*WEEKDAYS})

    @cached_property
    def database(self) -> Database:
        """The database, open and of this program's version. Raises StoreError."""
        from newsletter.store.db import connect  # SQLAlchemy is a quarter of a second, and letters need none
        from newsletter.store.schema import check_version

        if self.keeper:
            self.keeper.load()
        elif not self.has_database():
            raise StoreError(
                "there is no database yet",
                at=self.settings.database.removeprefix("sqlite:///"),
                hint="make it: newsletter db upgrade",
            )
        database = connect(self.url)
        try:
            check_version(database)
            if self.has_journal:
                from newsletter.store.departures import keep_journal

                keep_journal(database, self.settings.journal, now=self.clock())
        except StoreError:
            database.close()
            raise
        return database

    @property
    def has_journal(self) -> bool:
        """Whether departures are kept in a file: the state in Git has its own, and a runner's disk is gone with it."""
        return not self.settings.in_git and not self.settings.on_runner

    @property
    def url(self) -> str:
        """Where the database is opened; the copy that is ours alone, where it lives in Git."""
        return f"sqlite:///{self.keeper.path}" if self.keeper else self.settings.database

    @cached_property
    def keeper(self) -> Keeper | None:
        """What keeps the database in Git, where it is kept there. Raises SettingsError."""
        if not self.settings.in_git:
            return None
        from newsletter.app.keepers import keeper_of  # encryption, which only few need

        return keeper_of(self.settings)

    def durably(self, work: Callable[[], Result]) -> Result:
        """What *work* gives, durable: where somebody else saved meanwhile, it is done again on what they saved."""
        return self.keeper.durably(work) if self.keeper else work()

    def has_database(self) -> bool:
        """Whether there is a database to ask; a SQLite file that does not exist yet is none."""
        url = self.settings.database
        return self.settings.in_git or not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()

    def issue_id(self, name: str) -> str:
        """The id that *name* (an id or a path) stands for; the letter's file may be gone."""
        return issue_id(name)

    def links_for(self, identity: Identity) -> LinksOf:
        """A function from a subscriber to their personal addresses: the leave token is stored, others are signed.

        How readers leave is part of the frozen edition, whatever the settings say by now.
        """
        site, sign = self.settings.site_url, self.signer.sign
        by_mail = f"mailto:{identity.leave_mailto}?subject=leave%20"
        leave = by_mail if identity.leave_mode == "mailto" else f"{site}/leave/"

        def links_of(person: Subscriber, at: datetime) -> dict[str, str]:
            preferences = sign("preferences", person.id, expires_at=at + LINK_LIFE)
            return {
                "unsubscribe_url": leave + person.leave_token,
                "preferences_url": f"{site}/preferences/{preferences}",
            }

        return links_of

    @cached_property
    def signer(self) -> Signer:
        """What signs the links of this newsletter and reads them. Raises SettingsError if there is no key."""
        if not self.settings.secret_keys:
            hint = "newsletter init . writes one; on a server set NEWSLETTER_SECRET_KEYS"
            raise SettingsError("there is no key to sign links with", at=KEY_FILE, hint=hint)
        return Signer(self.settings.secret_keys)
