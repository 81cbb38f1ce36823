"""How the providers' APIs want things said: mailboxes, header values, labels, lines of JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from newsletter.errors import ProviderRefused
from newsletter.pieces import one_line


def mailbox(name: str, address: str) -> str:
    """`"Name" <address>` in Unicode, as JSON and form APIs take it."""
    name = one_line(name).strip()
    if not name:
        return address
    quoted = re.sub(r'(["\\])', r"\\\1", name)
    return f'"{quoted}" <{address}>'


def unfolded(value: bytes) -> str:
    """A header's value on one line."""
    return re.sub(r"\r\n[ \t]", " ", value.decode())


def label(text: str) -> str:
    """*text* in the characters that every provider takes in a tag: letters, digits, dashes, underscores."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", text)[:120]


def json_lines(data: bytes) -> Iterator[dict[str, Any]]:
    """The objects in a file of one a line, or of one array. Raises ProviderRefused if it is neither."""
    try:
        text = data.decode("utf-8-sig")
        # By LF only: strings in JSON may hold what Unicode calls the end of a line.
        lines = [text] if text.lstrip().startswith("[") else text.split("\n")
        read = [json.loads(line) for line in lines if line.strip()]
    except (ValueError, RecursionError):
        raise ProviderRefused("the events cannot be read", hint="it takes a JSON object a line, or one array") from None
    found = read[0] if read and isinstance(read[0], list) else read
    for record in found:
        if isinstance(record, dict):
            yield record
