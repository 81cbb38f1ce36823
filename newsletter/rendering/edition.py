"""An edition: a letter compiled, frozen and named by the hash of everything readers can see."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

FORMAT = 1  # of the bytes; a later program reads older formats, since editions outlive programs


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a letter comes from, as its readers and their mailboxes see it."""

    name: str
    address: str
    reply_to: str
    newsletter: str
    list_id: str
    leave_mode: str  # own | provider | mailto; none of a mail that nobody has to leave
    leave_mailto: str

    @property
    def domain(self) -> str:
        """The domain that Message-IDs are made under."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A `for=` of the letter and the rule it stood for when the letter was compiled."""

    name: str
    rule: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """The letter as readers see it who meet exactly the conditions that are True; holes are marks."""

    conditions: tuple[bool, ...]
    html: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture of the letter: its file, its digest, and the address under which the letter shows it.

    `data` is the picture itself in base64, where it travels inside the message; else it is only known by its digest.
    """

    file: str
    digest: str  # SHA-256, in hexadecimal
    kind: str  # png | jpg | gif
    address: str  # https://…, or cid:… for one inside the message
    data: str = ""

    def __post_init__(self) -> None:
        """Refuse what could lead anywhere else: editions come from files."""
        named = re.fullmatch(r"[0-9a-f]{64}", self.digest) and self.kind in ("png", "jpg", "gif")
        if not named or self.file.startswith("/") or ".." in self.file.split("/"):
            msg = "not an edition: a picture of no proper name"
            raise ValueError(msg)

    @property
    def name(self) -> str:
        """What it is called where it is published: a name made of its content."""
        return f"{self.digest[:16]}.{self.kind}"

    @property
    def media_type(self) -> str:
        """What it is, in the words of MIME."""
        return f"image/{'jpeg' if self.kind == 'jpg' else self.kind}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """A compiled letter. `holes` are the sources of its expressions; mark number N is the N-th of them."""

    issue_id: str
    title: str
    subject: str  # with marks
    preheader: str  # with marks
    language: str
    direction: str
    send_day: str  # ISO date
    send_at: str  # HH:MM
    send_zone: str  # "" = each reader's own
    series: Mapping[str, Any] | None = None  # of a part of one: days, since, quiet; and then there is no send_day
    audience: Condition
    conditions: tuple[Condition, ...]
    identity: Identity
    archive_url: str
    mark_word: str
    holes: tuple[str, ...]
    needs: Mapping[str, str]  # field shown without a fallback → path:line
    variants: tuple[Variant, ...]
    images: tuple[Image, ...] = ()

    @property
    def constants(self) -> dict[str, str]:
        """The fields that are the same for all readers."""
        return {"archive_url": self.archive_url, "newsletter_name": self.identity.newsletter}

    @property
    def has_inside(self) -> bool:
        """Whether pictures travel inside its messages."""
        return any(image.data for image in self.images)

    def to_bytes(self) -> bytes:
        """The bytes that are hashed, approved and kept: sorted, one line of the letter a line."""
        data = asdict(self)
        data["format"] = FORMAT
        if self.series is None:
            del data["series"]  # so that editions from before there were series keep their hashes
        data["images"] = [{**asdict(each), "data": each.data.split("\n")} for each in self.images]
        if not self.images:
            del data["images"]  # for the same reason
        data["variants"] = [
            {"conditions": list(each.conditions), "html": each.html.split("\n"), "text": each.text.split("\n")}
            for each in self.variants
        ]
        return (json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()

    @property
    def hash(self) -> str:
        """`sha256:` and the digest of `to_bytes`."""
        return edition_hash(self.to_bytes())


def edition_hash(body: bytes) -> str:
    """The name of an edition with these bytes."""
    return f"sha256:{sha256(body).hexdigest()}"


def read_edition(body: bytes) -> Edition:
    """The edition in *body*. Raises ValueError if these are not an edition's bytes."""
    try:
        data = json.loads(body)
        if data.pop("format") != FORMAT:
            msg = "the edition was made by a newer version of this program"
            raise ValueError(msg)
        variants = tuple(
            Variant(conditions=tuple(each["conditions"]), html="\n".join(each["html"]), text="\n".join(each["text"]))
            for each in data.pop("variants")
        )
        images = tuple(Image(**{**each, "data": "\n".join(each["data"])}) for each in data.pop("images", ()))
        return Edition(
            **{
                **data,
                "audience": Condition(**data["audience"]),
                "conditions": tuple(Condition(**each) for each in data["conditions"]),
                "identity": Identity(**data["identity"]),
                "holes": tuple(data["holes"]),
                "variants": variants,
                "images": images,
            }
        )
    except (KeyError, TypeError, UnicodeDecodeError) as err:
        msg = f"not an edition: {err}"
        raise ValueError(msg) from err
