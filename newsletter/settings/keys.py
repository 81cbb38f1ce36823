"""The keys of newsletter.toml: one table, which the documentation is held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from typing import Any

from newsletter.settings import values


@dataclass(frozen=True, slots=True)
class Key:
    """One key of newsletter.toml: what it means, how it is read, and what stands in where it is absent."""

    check: Callable[[object], Any]
    about: str
    default: Any = None
    field: str = ""  # of Settings, where it is not called like the key
    secret: bool = False  # a wrong value is not repeated


REQUIRED = object()

# What each provider needs to know, in a section of its name. Passwords and keys come from the environment.
CARRIERS: dict[str, dict[str, Key]] = {
    "outbox": {"folder": Key(values.one_text, "The folder the outbox writes to.", "outbox")},
    "smtp": {
        "host": Key(values.host, "The submission server.", REQUIRED),
        "port": Key(values.whole(1, 65535), "Its port.", 465),
        "security": Key(
            values.one_of("tls", "starttls", "none"), "TLS from the start, STARTTLS, or none (loopback only).", "tls"
        ),
        "username": Key(values.text_or_nothing, "Who signs in; the password is NEWSLETTER_SMTP_PASSWORD.", ""),
        "connections": Key(values.whole(1, 200), "How many connections are open at once, in all lanes.", 4),
        "messages_per_connection": Key(values.whole(0, 1_000_000), "After how many to connect anew; 0 is never.", 0),
        "bounces": Key(
            values.address_or_nothing, "The mailbox for bounces; each envelope gets an address of its own under it.", ""
        ),
        "dkim_selector": Key(values.text_or_nothing, "The DKIM key's name in DNS; empty, and the server signs.", ""),
        "dkim_domain": Key(values.text_or_nothing, "The domain that signs, if not the sender's.", ""),
    },
    "resend": {"url": Key(values.api, "Where its API is.", "https://api.resend.com")},
    "mailgun": {
        "domain": Key(values.domain, "The sending domain.", REQUIRED),
        "region": Key(values.one_of("us", "eu"), "Where the domain lives.", "us"),
        "sandbox": Key(values.yes_or_no, "Have everything accepted and nothing delivered (o:testmode).", default=False),
        "url": Key(values.api_or_nothing, "Where its API is, if not where the region says.", ""),
    },
    "ses": {
        "region": Key(values.one_text, "The AWS region, e.g. eu-central-1.", REQUIRED),
        "configuration_set": Key(values.text_or_nothing, "The configuration set that events go by.", ""),
        "url": Key(values.api_or_nothing, "Where its API is, if not where the region says.", ""),
    },
}

# Whether a provider writes the way to leave into letters as we hand them over; "" where it does, else why not.
WRITES_LEAVE: dict[str, str] = {
    "outbox": "a folder writes nothing",
    "smtp": "a mail server takes messages as they are",
    "resend": "Resend does so for its own broadcasts only",
    "mailgun": "",
    "ses": "SES does so for its contact lists only, and not in calls of fifty",
}

# Environment variables that hold secrets, and the one setting each belongs to.
SECRETS: dict[str, tuple[str, ...]] = {
    "outbox": (),
    "smtp": ("NEWSLETTER_SMTP_PASSWORD", "NEWSLETTER_DKIM_KEY"),
    "resend": ("NEWSLETTER_RESEND_API_KEY",),
    "mailgun": ("NEWSLETTER_MAILGUN_API_KEY",),
    "ses": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
}

KEYS: dict[str, dict[str, Key]] = {
    "": {
        "database": Key(
            values.database, "Where people and deliveries are kept.", "sqlite:///subscribers/newsletter.db"
        ),
    },
    "state": {
        "remote": Key(
            values.one_text, "Where the state is kept: a remote's name or its URL.", "origin", "state_remote"
        ),
        "branch": Key(values.branch, "The branch that belongs to it alone.", "newsletter-state", "state_branch"),
        "recipients": Key(
            values.recipients,
            "The public keys it is encrypted for: yours, and one kept offline.",
            (),
            "state_recipients",
        ),
        "journal": Key(
            values.one_text,
            "The file that remembers who left, apart from the database; put it where backups do not reach.",
            "subscribers/departures.jsonl",
        ),
    },
    "newsletter": {
        "name": Key(values.one_text, "What the newsletter is called.", REQUIRED),
        "tagline": Key(values.text_or_nothing, "One line under the name.", ""),
        "language": Key(values.language, "The language letters are written in, unless they say otherwise.", "en"),
        "timezone": Key(values.zone, "The zone of readers whose own is unknown.", "UTC"),
        "theme": Key(values.name, "A folder of templates/.", "letter"),
        "audience": Key(values.name, "The segment a letter goes to, unless it says otherwise.", "everyone"),
    },
    "sender": {
        "name": Key(values.one_text, "Who the letter is from.", REQUIRED, "sender_name"),
        "address": Key(values.address, "The address it is from.", REQUIRED, "sender_address"),
        "reply_to": Key(values.address_or_nothing, "Where answers go, if elsewhere.", ""),
        "postal_address": Key(values.lines, "The postal address the law asks for, line by line.", REQUIRED),
        "list_id": Key(values.domain, "The list's name for ever (RFC 2919), under a domain of yours.", REQUIRED),
        "reason": Key(
            values.one_text, "Why a reader gets this letter.", "You receive this letter because you asked for it."
        ),
    },
    "site": {
        "url": Key(values.site, "Where your pages are.", REQUIRED, "site_url"),
        "check": Key(
            values.yes_or_no,
            "Before a letter leaves, see that its page and its pictures are there.",
            default=True,
            field="site_check",
        ),
    },
    "images": {
        "inline": Key(
            values.yes_or_no,
            "Send pictures inside the message, rather than have them fetched from the site.",
            default=False,
            field="inline_images",
        ),
    },
    "schedule": {
        "time": Key(values.clock, "The time of day letters are due, unless they say otherwise.", time(8)),
        "weekday": Key(values.one_of(*values.WEEKDAYS), "The day new letters are for.", "monday"),
        "quiet": Key(values.quiet_days, "Weekdays and dates on which nothing new begins: no letter, no series.", ()),
        "veto_hours": Key(
            values.whole(0, 168), "How long after its approval a letter waits, for whoever objects; 0 is not at all.", 0
        ),
        "window_hours": Key(values.hours, "How long after its due time a letter may still leave.", 36),
    },
    "recipe": {
        "blocks": Key(
            values.recipe,
            "The kinds of block a letter is made of, in their order; `or` where one of several will do.",
            ("quote", "reflection", "steps or learn", "action", "spread-the-word", "keep-going", "subscribe"),
            "recipe",
        ),
    },
    "calendar": {
        "files": Key(
            values.paths,
            "The awareness calendars; an entry of a later file stands in for one of the same name.",
            ("templates/calendar.toml",),
            "calendar_files",
        ),
        "regions": Key(
            values.words, "Whose observances count, beside those of everywhere; none is all.", (), "calendar_regions"
        ),
    },
    "serve": {
        "host": Key(values.host, "The address the pages listen at.", "127.0.0.1", "serve_host"),
        "port": Key(values.whole(1, 65535), "Its port.", 8000, "serve_port"),
        "proxies": Key(
            values.whole(0, 5),
            "How many servers of yours stand in front and say who asks (X-Forwarded-For).",
            0,
            "serve_proxies",
        ),
    },
    "signup": {
        "agreement": Key(
            values.one_text,
            "What people agree to; it is kept with the evidence of their consent.",
            "I want to get this letter by e-mail, and can leave at any time.",
            "signup_agreement",
        ),
        "per_hour": Key(
            values.whole(1, 100_000),
            "How many mails for confirmation leave in an hour at most.",
            200,
            "signup_per_hour",
        ),
        "welcome": Key(values.yes_or_no, "Whether people are welcomed by mail.", default=True, field="signup_welcome"),
    },
    "inbox": {
        "host": Key(
            values.host_or_nothing, "The IMAP server of the mailbox; empty, and none is read.", "", "inbox_host"
        ),
        "port": Key(values.whole(1, 65535), "Its port.", 993, "inbox_port"),
        "security": Key(values.one_of("tls", "none"), "TLS, or none (loopback only).", "tls", "inbox_security"),
        "username": Key(
            values.text_or_nothing, "Who signs in; the password is NEWSLETTER_INBOX_PASSWORD.", "", "inbox_username"
        ),
        "folder": Key(values.one_text, "The folder that is read.", "INBOX", "inbox_folder"),
        "done": Key(
            values.text_or_nothing, "Where mails go that are dealt with; empty, and they stay.", "", "inbox_done"
        ),
    },
    "leave": {
        "mode": Key(
            values.one_of("own", "provider", "mailto"),
            "How readers leave: a page of your own, the provider's, or by mail.",
            "own",
            "leave_mode",
        ),
        "mailto": Key(values.address_or_nothing, "The mailbox that takes 'leave' mails.", "", "leave_mailto"),
    },
    "checks": {
        "required": Key(values.names, "The kinds of block that no letter may lack.", (), "required_blocks"),
        "off": Key(values.reasons, "Checks that are switched off, each with its reason.", {}, "checks_off"),
    },
    "provider": {
        "name": Key(values.one_of(*CARRIERS), "Who carries the mail.", "outbox", "provider"),
        "rate": Key(
            values.rate, "How many messages a second leave at most, all senders together; 0 is no ceiling.", 0.0
        ),
        "lanes": Key(values.whole(1, 64), "How many batches one sender has in hand at once.", 2),
    },
    "preview": {"editor": Key(values.editor_link, "A link that opens {path} at {line} in your editor.", "")},
    "canary": {
        "people": Key(
            values.whole(0, 100_000), "How many get a long letter first; 0 is no canary.", 100, "canary_people"
        ),
        "minutes": Key(values.whole(0, 1440), "How long the others wait then for bounces.", 10, "canary_minutes"),
        "limit_percent": Key(
            values.whole(1, 100),
            "From how many refused or bounced in a hundred a send halts itself.",
            5,
            "halt_percent",
        ),
    },
}
