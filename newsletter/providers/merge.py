"""Holes as a provider's own placeholders: the letter travels once, and for each reader only what is personal.

Values travel escaped for the place where they stand, since the provider puts them in as they are. Text of
the letter that looks like a placeholder would be replaced or would break the call, so it is refused before
anything leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from newsletter.errors import ProviderRefused
from newsletter.pieces import ENCODERS, Pieces, Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Syntax:
    """How a provider writes a placeholder, and the text that no letter and no value may contain."""

    before: str
    after: str
    trap: str


@dataclass(slots=True)
class Merge:
    """The templates of one call and the names of their holes, given out in the order of appearance."""

    syntax: Syntax
    names: dict[Slot, str] = field(default_factory=dict)

    def template(self, pieces: Pieces) -> str:
        """*pieces* with placeholders for its holes. Raises ProviderRefused where the text looks like one."""
        parts = []
        for part in pieces.parts:
            if isinstance(part, Slot):
                name = self.names.setdefault(part, f"h{len(self.names)}")
                parts.append(f"{self.syntax.before}{name}{self.syntax.after}")
            else:
                text = part.decode()
                if self.syntax.trap in text:
                    raise ProviderRefused(
                        f"the letter contains {self.syntax.trap!r}, which this provider would take for a placeholder",
                        hint="write it differently, approve the letter again, and plan a new one",
                    )
                parts.append(text)
        return "".join(parts)

    def values(self, values: Mapping[str, str]) -> dict[str, str] | None:
        """One reader's values by the names in the templates; None if one of them looks like a placeholder."""
        filled = {name: ENCODERS[slot.encoder](values[slot.value]).decode() for slot, name in self.names.items()}
        for slot, name in self.names.items():
            if self.syntax.trap in filled[name]:
                if slot.encoder != "html":
                    return None
                # In HTML, a character may be written as its number, and is no placeholder any more.
                first = self.syntax.trap[0]
                filled[name] = filled[name].replace(first, f"&#{ord(first)};")
        return filled
