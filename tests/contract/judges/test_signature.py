"""Every sample letter signed as the SMTP provider signs, and judged by dkimpy: item 14 of the forty."""

from __future__ import annotations

import re

import pytest

from newsletter.providers.dkim import Dkim
from tests.acceptance.messages import Entity
from tests.contract.judges.messages import Sent, one_of_each
from tests.contract.providers.test_dkim import judged, keys, pem, record

DOMAIN = "letters.example.org"
MUST_BE_SIGNED = {
    *("from", "to", "subject", "date", "message-id", "mime-version", "content-type"),
    *("list-id", "list-unsubscribe", "list-unsubscribe-post"),
}

pytestmark = pytest.mark.needs("dkimverify")


def signed(message: Sent) -> bytes:
    return Dkim(domain=DOMAIN, selector="monday", private_key_pem=pem(keys()["rsa"])).sign(message.raw)


def tags(message: bytes) -> dict[str, str]:
    """The tags of a DKIM-Signature, e.g. d and h."""
    value = re.sub(r"\s+", "", Entity(message).value("DKIM-Signature"))
    return dict(each.split("=", 1) for each in value.split(";"))


def test_the_signature_of_every_letter_is_good() -> None:
    messages = [signed(message) for message in one_of_each()]
    assert judged(messages, monday=record("rsa")) == [[True]] * len(messages)


def test_it_covers_every_header_that_matters_and_the_whole_body() -> None:
    for message in one_of_each():
        found = tags(signed(message))
        present = {field.name.lower() for field in Entity(message.raw).fields}
        assert set(found["h"].split(":")) == present
        assert present >= MUST_BE_SIGNED
        assert "l" not in found
        assert found["a"] == "rsa-sha256"


def test_it_is_by_the_domain_in_from() -> None:
    message = signed(one_of_each()[0])
    assert tags(message)["d"] == DOMAIN
    assert f"@{DOMAIN}>" in Entity(message).value("From")


def test_a_header_that_is_changed_on_the_way_breaks_it() -> None:
    head, gap, body = signed(one_of_each()[0]).partition(b"\r\n\r\n")
    names = sorted(MUST_BE_SIGNED)
    changed = [re.sub(rb"(?im)^(%s: ).*$" % name.encode(), rb"\g<1>other\r", head, count=1) for name in names]
    assert head not in changed
    verdicts = judged([each + gap + body for each in changed], monday=record("rsa"))
    assert [name for name, (verdict,) in zip(names, verdicts, strict=True) if verdict is True] == []
