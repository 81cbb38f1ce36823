"""What surrounds all that readers get, letters and mails alike: who it comes from, and why."""

from __future__ import annotations

from newsletter.rendering.compile import Setting
from newsletter.rendering.edition import Identity
from newsletter.settings.read import Settings


def setting_of(settings: Settings) -> Setting:
    """What newsletter.toml says of it."""
    identity = Identity(
        name=settings.sender_name,
        address=settings.sender_address,
        reply_to=settings.reply_to,
        newsletter=settings.name,
        list_id=settings.list_id,
        leave_mode=settings.leave_mode,
        leave_mailto=settings.leave_mailto,
    )
    return Setting(
        identity=identity,
        tagline=settings.tagline,
        postal_address=settings.postal_address,
        reason=settings.reason,
        site_url=settings.site_url,
        custom_fields=tuple(sorted(settings.fields)),
    )
