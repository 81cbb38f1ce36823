"""People who make trouble: by their names, by what they told us of themselves; all invented."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody as the list has them, and the token the database keeps for leaving."""

    address: str
    name: str = ""
    first_name: str = ""
    language: str = ""
    tags: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    leave_token: str = ""

    @property
    def values(self) -> tuple[str, ...]:
        """All that a letter may show of them."""
        return tuple(v for v in (self.name, self.first_name, *self.attributes.values()) if v)


# What a mailbox of the form `first` + `last` @example.org would never be called, each with the name of its trick.
TRICKS: Mapping[str, str] = {
    "markup": "<b>Ada</b><script>alert(1)</script>",
    "quotes": "Ada \"the 'Hand'\" Example",
    "ampersand": "Ada & Söhne &amp; &lt;Co&gt;",
    "template": "{{7*7}} {% raw %} ${7*7} {{ config }}",
    "newline": "Ada\r\nBcc: everyone@example.org\r\n\r\nhello",
    "override": "Ada \u202egnp.exe\u2066 Example",
    "encoded": "=?utf-8?q?x?=",
    "long": "Ada " + "Wilhelmina-Alexandrina " * 7 + "Maximiliana Example",
    "unbroken": "A" * 200,
    "emoji": "👩🏽‍🚒🌱" * 15,
    "blanks": "   ",
    "dot": ".Ada",
    "from": "From Ada",
    "boundary": "--=_ada",
    "closing": '"></title></style>--><img src=x onerror=alert(1)>',
    "comment": "<!--[if mso]><b>",
    "comma": "Example, Ada (she) <ada@evil.example>; x",
    "backslash": 'Ada \\ \\" Example\\',
    "percent": "%s %(name)s %41 *|FNAME|* 100%",
    "mark": "zq0123456789abcdefH0Hqz",
    "arabic": "ليلى \u200f(مثال)",
    "spaces": "Ada  of  the  gaps",
    "umlauts": "Žofie Příkladová-Ünlü ÄÖÜ ßßßßßßßßßß ČČČČČČČ",
}
TAGS = ("red", "green", "blue", "early", "late")


def troublemakers() -> list[dict[str, str]]:
    """One row of a list for every trick."""
    return [
        {
            "email": f"trick.{trick}@example.org",
            "name": name
            if "\n" not in name
            else "Ada",  # a list has no such cells; see tests/acceptance/mailing.py, `_spoil`
            "first_name": "Ada",
            "timezone": "Europe/Berlin",
            "language": "en",
            "tags": "hostile",
            "status": "active",
            "city": "",
        }
        for trick, name in TRICKS.items()
    ]


def combinations() -> list[dict[str, str]]:
    """One row for every way of having and not having each of the five tags."""
    rows = []
    for truth in product((False, True), repeat=len(TAGS)):
        tags = [tag for tag, has in zip(TAGS, truth, strict=True) if has]
        name = "-".join(["combined", *tags])
        rows.append(
            {
                "email": f"{name}@example.org",
                "name": "",
                "first_name": "",
                "timezone": "Europe/Berlin",
                "language": "en",
                "tags": ",".join(["combined", *tags]),
                "status": "active",
                "city": "",
            }
        )
    return rows


def to_csv(rows: list[dict[str, str]]) -> str:
    """*rows* as a list to import."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def read_list(path: Path) -> list[dict[str, str]]:
    """The rows of a list."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def mailable(rows: list[dict[str, str]]) -> dict[str, Person]:
    """Who of *rows* may be mailed, by address: active, with an address, the first of each."""
    found: dict[str, Person] = {}
    for row in rows:
        local, _, domain = row["email"].partition("@")
        if row["status"] != "active" or not domain or "@" in domain:
            continue
        address = f"{local}@{domain.encode('idna').decode()}"
        if address.lower() not in (known.lower() for known in found):
            found[address] = Person(
                address=address,
                name=shown(row["name"]),
                first_name=shown(row["first_name"]),
                language=row["language"],
                tags=frozenset(filter(None, row["tags"].split(","))),
                attributes={"city": shown(row["city"])} if shown(row["city"]) else {},
            )
    return found


def spoiled(person: Person) -> Person:
    """*person* with the trick of their address played with the name, the first name and the city."""
    word, _, trick = person.address.partition("@")[0].partition(".")
    if word != "trick" or trick not in TRICKS:
        return person
    value = shown(TRICKS[trick])
    return replace(person, name=value, first_name=value, attributes={"city": value} if value else {})


def shown(value: str) -> str:
    """*value* as a reader may see it: what breaks lines or turns the text around is one blank."""
    out = ""
    for character in value:
        turns = unicodedata.bidirectional(character) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        if turns or unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs"):
            out += "" if out.endswith("\0") else "\0"
        else:
            out += character
    return out.replace("\0", " ").strip()
