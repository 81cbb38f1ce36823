"""Against servers that others wrote: a stand-in for SES that renders with Handlebars, and a mail catcher.

They are installed from a lock file by `npm ci --prefix tests/peers`.
"""

from __future__ import annotations

import html
import json
import os
import smtplib
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from newsletter.delivery.outcome import Status
from newsletter.pieces import one_line
from newsletter.providers.ses import Ses
from tests.contract.providers.clouds import never, nowhere
from tests.contract.providers.contract import kept
from tests.contract.providers.letters import NAMES, batch_of, letter_filler, reader

PROGRAMS = Path(__file__).parents[2] / "peers" / "node_modules" / ".bin"
STARTS_WITHIN_S = 30
ACCOUNT = {
    "DedicatedIpAutoWarmupEnabled": True,
    "Details": {
        "AdditionalContactEmailAddresses": [],
        "ContactLanguage": "EN",
        "MailType": "MARKETING",
        "ReviewDetails": {"CaseId": "1", "Status": "GRANTED"},
        "UseCaseDescription": "letters",
        "WebsiteURL": "https://letters.example.org",
    },
    "EnforcementStatus": "HEALTHY",
    "ProductionAccessEnabled": True,
    "SendingEnabled": True,
    "SendQuota": {"Max24HourSend": 50000, "MaxSendRate": 14, "SentLast24Hours": 1200},
    "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
}

pytestmark = pytest.mark.needs("node")


@contextmanager
def running(program: str, *arguments: str, url: str, **environment: str) -> Iterator[None]:
    """A peer, until it is not needed any more."""
    if not (PROGRAMS / program).exists():
        pytest.fail(f"{program} is not installed; run: npm ci --prefix tests/peers", pytrace=False)
    process = subprocess.Popen(
        [PROGRAMS / program, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    try:
        until = time.monotonic() + STARTS_WITHIN_S
        while not answers(url):
            assert process.poll() is None, f"{program} ended at once"
            assert time.monotonic() < until, f"{program} did not start in {STARTS_WITHIN_S} s"
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def ses_url() -> Iterator[str]:
    url = nowhere()
    port = url.rpartition(":")[2]
    with running(
        "aws-ses-v2-local",
        "--host",
        "127.0.0.1",
        "--port",
        port,
        url=f"{url}/health-check",
        AWS_SES_ACCOUNT=json.dumps(ACCOUNT),
        AWS_SES_STRICT_TEMPLATE_RENDERING="true",  # a variable without a value is an error, as it is at SES
    ):
        yield url


@pytest.fixture
def provider(ses_url: str) -> Iterator[Ses]:
    requests.post(f"{ses_url}/clear-store", timeout=5)
    made = Ses(region="eu-central-1", url=ses_url, access_key="AKIATESTSONLY0000000", secret_key="secret", stop=never)
    yield made
    made.close()


def stored(url: str) -> dict[str, dict[str, Any]]:
    """What the peer would have mailed, by recipient."""
    emails = requests.get(f"{url}/store", timeout=5).json()["emails"]
    return {"".join(each["destination"]["to"]): each for each in emails}


def test_the_peer_fills_every_hole_with_what_is_its_readers(provider: Ses, ses_url: str) -> None:
    # It takes plain addresses only, so these readers have a first name and no display name.
    batch = batch_of(*(reader(number, name=name) for number, name in enumerate(NAMES, start=1)))
    nameless = replace(batch, rows=tuple(replace(row, name="") for row in batch.rows))
    receipts = kept(provider.send(nameless))
    held = {seq for seq, each in receipts.items() if each.status is Status.HELD}
    assert held == {NAMES.index("{{h0}}") + 1}
    assert {receipts[seq].status for seq in receipts.keys() - held} == {Status.ACCEPTED}
    mailed = stored(ses_url)
    assert len(mailed) == len(batch.rows) - len(held)
    for row in batch.rows:
        if row.seq in held:
            continue
        message, shown = mailed[row.address], one_line(NAMES[row.seq - 1]) or "friend"
        body = batch.letter.bodies[row.variant]
        assert message["body"]["html"] == body.html.fill(row.values).decode()
        assert message["body"]["text"] == body.text.fill(row.values).decode()
        assert message["subject"] == batch.letter.subject.fill(row.values).decode()
        assert shown in html.unescape(message["body"]["html"])
        assert message["messageId"] == receipts[row.seq].provider_id
        headers = {each["name"]: each["value"] for each in message["headers"]}
        assert headers["List-Unsubscribe"].startswith(f"<https://letters.example.org/leave/t{row.seq}>")
        assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert headers["List-Id"] == "The Monday Letter <monday.letters.example.org>"


def test_the_peer_refuses_one_address_and_takes_the_others(provider: Ses, ses_url: str) -> None:
    readers = [reader(number, name="") for number in range(1, 51)]
    readers[6] = reader(7, name="", address="two@at@example.org")
    receipts = kept(provider.send(batch_of(*readers)))
    assert receipts.pop(7).status is Status.REFUSED
    assert {each.status for each in receipts.values()} == {Status.ACCEPTED}
    assert len(stored(ses_url)) == 49


def test_a_template_with_much_that_looks_like_handlebars_is_taken_as_it_is(provider: Ses, ses_url: str) -> None:
    odd = letter_filler(
        letter="::: text\nA set {x}, an end }}, a %recipient.name% and {{ city | default('x') }} too.\n:::\n"
    )
    batch = batch_of(reader(1, name=""), with_filler=odd)
    assert {each.status for each in kept(provider.send(batch)).values()} == {Status.ACCEPTED}
    (message,) = stored(ses_url).values()
    assert message["body"]["html"] == batch.letter.bodies[0].html.fill(batch.rows[0].values).decode()
    assert "}}, a %recipient.name%" in message["body"]["text"]


def test_a_doctor_can_look_at_the_peer(provider: Ses) -> None:
    assert {look.what: look.ok for look in provider.examine()} == {"provider": True, "sending": True, "quota": True}


def test_another_parser_reads_our_messages_as_we_meant_them() -> None:
    web, smtp = nowhere(), nowhere()
    port = int(smtp.rpartition(":")[2])
    names = batch_of(*(reader(number, name=name) for number, name in enumerate(NAMES, start=1)))
    with running(
        "maildev",
        "--smtp",
        str(port),
        "--web",
        web.rpartition(":")[2],
        "--ip",
        "127.0.0.1",
        "--web-ip",
        "127.0.0.1",
        url=f"{web}/email",
    ):
        listening(port)
        with smtplib.SMTP("127.0.0.1", port) as client:
            for row in names.rows:
                client.sendmail(names.letter.sender[1], [row.address], names.message(row))
        read = requests.get(f"{web}/email", timeout=10).json()
    found = {each["messageId"]: each for each in read}
    for row in names.rows:
        message, body = found[f"{row.ref}@{names.letter.domain}"], names.letter.bodies[row.variant]
        assert message["subject"] == names.letter.subject.fill(row.values).decode()
        assert message["to"] == [{"address": row.address, "name": one_line(row.name).strip()}]
        assert message["text"].strip() == body.text.fill(row.values).decode().strip()
        assert message["headers"]["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"


def listening(port: int) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < until
        time.sleep(0.1)
