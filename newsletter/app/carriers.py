"""Who carries the mail, by name: one line for each provider, loaded when it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from newsletter.errors import SettingsError
from newsletter.settings.read import Settings

if TYPE_CHECKING:
    from newsletter.usecases.ports import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What a provider is made for: one lane of *lanes*, which ends when *stop* says so."""

    settings: Settings
    lanes: int
    stop: Callable[[], bool]
    clock: Callable[[], datetime]

    def secret(self, name: str, *, optional: bool = False) -> str:
        """A secret from the environment. Raises SettingsError if it is not set."""
        if name not in self.settings.secrets and not optional:
            hint = f"{self.settings.provider} needs it; it is read from the environment only"
            raise SettingsError("is not set", at=name, hint=hint)
        return self.settings.secrets.get(name, "")


def carrier(settings: Settings, *, lanes: int, stop: Callable[[], bool], clock: Callable[[], datetime]) -> Provider:
    """A provider for one of *lanes* lanes."""
    return _CARRIERS[settings.provider](_Order(settings=settings, lanes=lanes, stop=stop, clock=clock))


def lanes_of(settings: Settings) -> int:
    """How many lanes a send has; files are written one after another, and so is a state saved."""
    return 1 if settings.provider == "outbox" or settings.in_git else settings.lanes


def takes_whole(settings: Settings) -> bool:
    """Whether the provider takes messages as they are, and so with pictures inside; the others take text and HTML."""
    return settings.provider in ("outbox", "smtp")


def tells(settings: Settings) -> tuple[str, ...]:
    """What the provider tells of people when it is asked."""
    return _TELLS.get(settings.provider, ())


def _outbox(order: _Order) -> Provider:
    from newsletter.providers.outbox import Outbox

    return Outbox(order.settings.root / order.settings.carrier["folder"], order.stop)


def _smtp(order: _Order) -> Provider:
    from newsletter.providers.dkim import Dkim
    from newsletter.providers.smtp import Smtp

    here = order.settings.carrier
    dkim = None
    if here["dkim_selector"]:
        domain = here["dkim_domain"] or order.settings.sender_address.rpartition("@")[2]
        key = order.secret("NEWSLETTER_DKIM_KEY")
        dkim = Dkim(domain=domain, selector=here["dkim_selector"], private_key_pem=key)
    return Smtp(
        host=here["host"],
        port=here["port"],
        security=here["security"],
        username=here["username"],
        password=order.secret("NEWSLETTER_SMTP_PASSWORD") if here["username"] else "",
        connections=max(1, here["connections"] // order.lanes),
        messages_per_connection=here["messages_per_connection"],
        bounces=here["bounces"],
        dkim=dkim,
        stop=order.stop,
    )


def _resend(order: _Order) -> Provider:
    from newsletter.providers.resend import Resend

    return Resend(url=order.settings.carrier["url"], api_key=order.secret("NEWSLETTER_RESEND_API_KEY"), stop=order.stop)


def _mailgun(order: _Order) -> Provider:
    from newsletter.providers.mailgun import Mailgun

    here = order.settings.carrier
    return Mailgun(
        url=here["url"] or _MAILGUN[here["region"]],
        domain=here["domain"],
        sandbox=here["sandbox"],
        leave_by_provider=order.settings.leave_mode == "provider",
        api_key=order.secret("NEWSLETTER_MAILGUN_API_KEY"),
        stop=order.stop,
        clock=order.clock,
    )


def _ses(order: _Order) -> Provider:
    try:
        from newsletter.providers.ses import Ses
    except ModuleNotFoundError as err:
        hint = "install the newsletter with its extra 'ses' (README, Install)"
        raise SettingsError(f"{err.name} is not installed", at="[provider] name", hint=hint) from None

    here = order.settings.carrier
    return Ses(
        region=here["region"],
        url=here["url"],
        configuration_set=here["configuration_set"],
        access_key=order.secret("AWS_ACCESS_KEY_ID"),
        secret_key=order.secret("AWS_SECRET_ACCESS_KEY"),
        session_token=order.secret("AWS_SESSION_TOKEN", optional=True),
        stop=order.stop,
    )


_MAILGUN = {"us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}

_TELLS: Mapping[str, tuple[str, ...]] = {
    "mailgun": ("departures", "bounces", "complaints"),
    "ses": ("bounces", "complaints"),
    "resend": ("bounces", "complaints"),
}

_CARRIERS: Mapping[str, Callable[[_Order], Provider]] = {
    "outbox": _outbox,
    "smtp": _smtp,
    "resend": _resend,
    "mailgun": _mailgun,
    "ses": _ses,
}
