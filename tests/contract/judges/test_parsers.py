"""Our messages as programs of others read them: postal-mime the message, html5lib its HTML."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.houses import PLAIN_HOUSE
from tests.acceptance.mailing import Letter, fill
from tests.acceptance.pages import Page
from tests.conftest import find_program
from tests.contract.judges.messages import HOSTILE, NAMELESS, Sent, one_of_each, sent
from tests.samples import EVERY_KIND, ISSUES, Sample
from tests.unit.letters import IDENTITY, ROOT

SCRIPT = Path(__file__).with_name("postal.mjs")
LIBRARY = ROOT / "tests" / "peers" / "node_modules" / "postal-mime" / "dist" / "esm" / "postal-mime.js"
ANSWER_S = 60


def read_by_postal_mime(messages: Sequence[bytes]) -> list[dict[str, Any]]:
    """What a mail program that uses it would show of each message."""
    if not LIBRARY.exists():
        pytest.fail("postal-mime is not installed; run: npm ci --prefix tests/peers", pytrace=False)
    node = find_program("node")
    assert node is not None
    asked = json.dumps([base64.b64encode(message).decode() for message in messages])
    done = subprocess.run(
        [node, SCRIPT, LIBRARY], input=asked, capture_output=True, text=True, timeout=ANSWER_S, check=True
    )
    read: list[dict[str, Any]] = json.loads(done.stdout)
    return read


def meant(message: Sent) -> dict[str, Any]:
    """What the author and the settings meant them to show, by our own reckoning."""
    letter = Letter(
        id=message.sample.id, text=message.sample.text, house=PLAIN_HOUSE, sent_at=datetime(2026, 11, 23, tzinfo=UTC)
    )
    return {
        "subject": " ".join(fill(letter.head["subject"], message.person).split()),
        "from": {"name": IDENTITY.name, "address": IDENTITY.address},
        "to": [{"name": message.person.name, "address": message.person.address}],
        "replyTo": [{"name": "", "address": IDENTITY.reply_to}],
        "text": message.text,
        "html": message.html,
        "attachments": 0,
    }


def shown(read: dict[str, Any]) -> dict[str, Any]:
    """The same of what was read, without what is the transport's: CRLF, folds, the line end before a boundary."""
    parts = {name: read.get(name, "").replace("\r\n", "\n").removesuffix("\n") for name in ("text", "html")}
    return {**read, **parts, "subject": " ".join(read["subject"].split())}


def differing(message: Sent, read: dict[str, Any]) -> list[str]:
    """What was read otherwise than it was meant."""
    found = shown(read)
    return [
        f"{message}: {name} is {str(found[name])[:200]!r}, not {str(wanted)[:200]!r}"
        for name, wanted in meant(message).items()
        if found[name] != wanted
    ]


@pytest.mark.needs("node")
def test_another_parser_reads_what_was_meant() -> None:
    letters = [Sample(path) for path in (*ISSUES[:1], EVERY_KIND)]
    messages = (*one_of_each(), *(sent(letter, person) for letter in letters for person in (NAMELESS, *HOSTILE)))
    read = read_by_postal_mime([message.raw for message in messages])
    assert [what for message, each in zip(messages, read, strict=True) for what in differing(message, each)] == []


@pytest.mark.needs("node")
def test_another_parser_finds_no_header_that_a_name_smuggled_in() -> None:
    messages = [sent(Sample(ISSUES[0]), person) for person in (NAMELESS, *HOSTILE)]
    names = {
        tuple(name for name, _ in each["headers"]) for each in read_by_postal_mime([each.raw for each in messages])
    }
    assert len(names) == 1


@pytest.mark.needs("node")
@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b"Subject: ", b"Subject: Re: ", "subject"),
        (b"\r\nTo: ", b"\r\nTo: x", "to"),
        (b"charset=utf-8", b"charset=iso-8859-1", "text"),
        (b"The Monday Letter\r\none reflection", b"The Monday Letter\r\ntwo reflections", "text"),
        (b"<title>", b"<title>x", "html"),
        (
            b"Content-Type: text/plain; ",
            b"Content-Disposition: attachment\r\nContent-Type: text/plain; ",
            "attachments",
        ),
    ],
    ids=["a false answer", "another name", "another charset", "another word", "another title", "an attachment"],
)
def test_another_parser_notices(old: bytes, new: bytes, what: str) -> None:
    message = sent(Sample(ISSUES[0]))
    assert old in message.raw
    (read,) = read_by_postal_mime([message.raw.replace(old, new, 1)])
    assert f": {what} is " in " ".join(differing(message, read))


def test_a_parser_by_the_html_standard_finds_no_error() -> None:
    assert {str(each): Page(each.html).errors for each in one_of_each() if Page(each.html).errors} == {}


def test_a_parser_by_the_html_standard_notices() -> None:
    html = sent(Sample(ISSUES[0])).html
    for broken in (
        html.replace("<!DOCTYPE html>", ""),
        html.replace("</p>", "</p></section>", 1),
        html.replace("</body>", "<table><p></table></body>"),
    ):
        assert Page(broken).errors
