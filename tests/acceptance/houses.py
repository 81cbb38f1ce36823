"""Newsletters by what they say of themselves: a plain one, an awkward one, and one that is left by mail."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tests.unit.letters import THEMES


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a newsletter says of itself in every letter."""

    name: str
    tagline: str
    sender: str
    address: str
    reply_to: str
    postal_address: tuple[str, ...]
    list_id: str
    reason: str
    site: str
    mailbox: str
    leave_mode: str = "own"
    theme: str = "letter"

    @property
    def domain(self) -> str:
        return self.address.partition("@")[2]


PLAIN_HOUSE = House(
    name="The Monday Letter",
    tagline="one reflection, one action, every week",
    sender="The Monday Letter",
    address="letter@letters.example.org",
    reply_to="hello@letters.example.org",
    postal_address=("The Monday Letter", "1 Example Street", "10115 Berlin, Germany"),
    list_id="monday.letters.example.org",
    reason="You receive this letter because you asked for it at letters.example.org.",
    site="https://letters.example.org",
    mailbox="leave@letters.example.org",
)
AWKWARD_HOUSE = replace(
    PLAIN_HOUSE,
    name="Zoë & Ömers “Montagsbrief” <für alle>, die länger lesen möchten: {% raw %} {{ x }}",
    tagline='"Eine" Zeile & <mehr>',
    sender="Zoë & Ömer, Montagsbrief (Redaktion)",
    reply_to="",
    postal_address=("Montagsbrief & Söhne", "Straße <1>", "10115 Berlin"),
    reason="Sie erhalten diesen Brief, weil Sie ihn unter briefe.example.org bestellt haben & nicht <anders>.",
    mailbox="",
)
BY_MAIL_HOUSE = replace(PLAIN_HOUSE, name="The Monday Letter, by mail", leave_mode="mailto")
# One for every theme that is not the default.
THEMED_HOUSES = [
    replace(PLAIN_HOUSE, name=f"The Monday Letter, {theme}", theme=theme) for theme in THEMES if theme != "letter"
]


def with_house(toml: str, house: House) -> str:
    """newsletter.toml with the names and texts of *house*."""
    changes = {
        "name": house.name,
        "tagline": house.tagline,
        "reply_to": house.reply_to,
        "reason": house.reason,
        "mode": house.leave_mode,
        "mailto": house.mailbox,
    }
    for key, value in changes.items():
        toml = re.sub(rf'(?m)^{key} = ".*?"$', lambda _, k=key, v=value: f"{k} = {_quoted(v)}", toml, count=1)
    toml = re.sub(r"(?m)^tagline = .*$", lambda found: f'{found[0]}\ntheme = "{house.theme}"', toml, count=1)
    toml = re.sub(r'(?m)(\[sender\]\nname = )".*"$', lambda found: found[1] + _quoted(house.sender), toml)
    lines = ", ".join(map(_quoted, house.postal_address))
    return re.sub(r"(?m)^postal_address = .*$", lambda _: f"postal_address = [{lines}]", toml)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
