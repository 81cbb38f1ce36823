"""Every error this program raises on purpose.

NewsletterError                 1  something could not be done
├── SettingsError               2  newsletter.toml or the environment says something wrong
├── NotFound                    1  no such issue, subscriber, file or plan
├── IssueHasProblems            3  a letter that may not leave, with all its problems
├── NotApproved                 3  a letter nobody approved, or one that changed since
├── ImportHasProblems           1  a list of people that cannot be read
├── StoreError                  1  the database is missing, locked, read-only, full or of another version
│   ├── LeaseLost               1  another sender took over a batch we thought was ours
│   └── StateError              1  the state in Git is not what it should be, or is refused
│       ├── StateMissing        1  its branch is not there, which is not the same as an empty list
│       ├── StateUnreachable    1  the remote does not answer; what was pushed may or may not have arrived
│       └── StateConflict       1  somebody else was first: load, do it again, save
├── LinkInvalid                 1  a link that we never made, or that was changed
│   └── LinkExpired             1  a link of ours that is too old
├── IllegalMove                 1  a state may not follow another (a bug, or two versions of this program)
├── Doubt                       4  some deliveries are neither certainly sent nor certainly unsent
├── LetterHalted                3  a letter that stopped by itself, or that somebody stopped
├── ProviderRefused             1  the provider will take nothing from us until somebody mends the set-up
└── ProviderBusy                5  the provider takes nothing just now; later it will
    └── QuotaReached            5  what the provider takes from us in a day or a month is used up

The number is the exit code of the command line. A message says what happened, `at` says where and
`hint` says what to do next; none of them ever holds a secret or a whole address.
"""

from __future__ import annotations

from datetime import timedelta

INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h: the exit code of a bug, as opposed to anything a person did


class NewsletterError(Exception):
    """Something could not be done; shown to people as `at: message` and a hint."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", at: str = "") -> None:
        """Keep *message*, the next step *hint* and the place *at* (a path, `path:line` or a setting)."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.at = at

    def __str__(self) -> str:
        """The place and the message on one line."""
        return f"{self.at}: {self.message}" if self.at else self.message


class SettingsError(NewsletterError):
    """newsletter.toml or the environment says something wrong."""

    exit_code = 2


class NotFound(NewsletterError):
    """No such issue, subscriber, file or plan."""


class IssueHasProblems(NewsletterError):
    """A letter that may not leave; the problems themselves were shown as data."""

    exit_code = 3


class NotApproved(NewsletterError):
    """A letter nobody approved, or one that changed since it was approved."""

    exit_code = 3


class ImportHasProblems(NewsletterError):
    """A list of people that cannot be read."""


class StoreError(NewsletterError):
    """The database is missing, locked, read-only, full or of another version."""


class LeaseLost(StoreError):
    """Another sender took over a batch we thought was ours."""


class StateError(StoreError):
    """The state in Git is not what it should be, or the remote refuses it."""


class StateMissing(StateError):
    """The branch of the state is not there, which is not the same as an empty list."""


class StateUnreachable(StateError):
    """The remote does not answer; what was being pushed may or may not have arrived."""


class StateConflict(StateError):
    """Somebody else saved first: load, do it again, save."""


class LinkInvalid(NewsletterError):
    """A link that we never made, or that was changed."""


class LinkExpired(LinkInvalid):
    """A link of ours that is too old."""


class IllegalMove(NewsletterError):
    """A state may not follow another: a bug, or two versions of this program on one database."""


class Doubt(NewsletterError):
    """Some deliveries are neither certainly sent nor certainly unsent; nobody is mailed again by itself."""

    exit_code = 4


class LetterHalted(NewsletterError):
    """A letter that stopped by itself, or that somebody stopped; nothing more of it leaves until it is resumed."""

    exit_code = 3


class ProviderRefused(NewsletterError):
    """The provider will take nothing from us until somebody mends the set-up."""


class ProviderBusy(NewsletterError):
    """The provider takes nothing just now; `wait` is how long it asks us to, if it said."""

    exit_code = 5

    def __init__(self, message: str, *, hint: str = "", at: str = "", wait: timedelta | None = None) -> None:
        """As every error here, and *wait*."""
        super().__init__(message, hint=hint, at=at)
        self.wait = wait


class QuotaReached(ProviderBusy):
    """What the provider takes from us in a day or a month is used up."""
