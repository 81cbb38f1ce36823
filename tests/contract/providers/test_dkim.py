"""DKIM, judged by dkimpy and by what forgers do."""

from __future__ import annotations

import base64
import json
import subprocess
from functools import cache

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from newsletter.errors import SettingsError
from newsletter.providers.dkim import Dkim
from tests.contract.providers.letters import NAMES, batch_of, reader

PKCS8 = serialization.PrivateFormat.PKCS8
JUDGE = """
import sys, json, base64, dkim
asked = json.load(sys.stdin)
records = {name.encode(): record.encode() for name, record in asked["records"].items()}
def look_up(name, timeout=5):
    return records.get(name)
verdicts = []
for message in asked["messages"]:
    d = dkim.DKIM(base64.b64decode(message))
    count = base64.b64decode(message).lower().count(b"dkim-signature:")
    try:
        verdicts.append([bool(d.verify(idx=i, dnsfunc=look_up)) for i in range(count)])
    except Exception as err:
        verdicts.append([type(err).__name__])
print(json.dumps(verdicts))
"""


@cache
def keys() -> dict[str, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey]:
    return {"rsa": rsa.generate_private_key(65537, 2048), "ed25519": ed25519.Ed25519PrivateKey.generate()}


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(serialization.Encoding.PEM, PKCS8, serialization.NoEncryption()).decode()


def record(kind: str) -> str:
    public = keys()[kind].public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    else:
        raw = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}"


def judged(messages: list[bytes], **records: str) -> list[list[bool | str]]:
    """What dkimpy says of the signatures of each message, with these keys in DNS."""
    names = {
        f"{selector.replace('_', '-')}._domainkey.letters.example.org.": text for selector, text in records.items()
    }
    asked = {"messages": [base64.b64encode(each).decode() for each in messages], "records": names}
    done = subprocess.run(
        ["/usr/bin/python3", "-c", JUDGE], input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    verdicts: list[list[bool | str]] = json.loads(done.stdout)
    return verdicts


def messages() -> list[bytes]:
    batch = batch_of(*(reader(number, name=name) for number, name in enumerate(NAMES, start=1)))
    return [batch.message(row) for row in batch.rows]


@pytest.mark.needs("dkimverify")
@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_dkimpy_finds_our_signatures_good(kind: str) -> None:
    dkim = Dkim(domain="letters.example.org", selector="monday", private_key_pem=pem(keys()[kind]))
    signed = [dkim.sign(message) for message in messages()]
    assert judged(signed, monday=record(kind)) == [[True]] * len(signed)


@pytest.mark.needs("dkimverify")
def test_two_keys_are_two_good_signatures() -> None:
    both = pem(keys()["rsa"]) + pem(keys()["ed25519"])
    dkim = Dkim(domain="letters.example.org", selector="monday", private_key_pem=both)
    signed = [dkim.sign(message) for message in messages()[:2]]
    assert judged(signed, monday=record("rsa"), monday_ed=record("ed25519")) == [[True, True]] * 2
    assert dkim.kinds == "rsa-sha256 and ed25519-sha256"


@pytest.mark.needs("dkimverify")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Dear", b"Deer"),
        (b"Subject: Hello", b"Subject: Hullo"),
        (b"List-Unsubscribe-Post: ", b"List-Unsubscribe-Post: X"),
        (b"\r\nFrom: ", b"\r\nFrom: Eve <eve@example.org>\r\nFrom: "),
        (b"/leave/t", b"/leave/u"),
    ],
)
def test_whatever_is_changed_on_the_way_breaks_it(old: bytes, new: bytes) -> None:
    dkim = Dkim(domain="letters.example.org", selector="monday", private_key_pem=pem(keys()["rsa"]))
    signed = dkim.sign(messages()[0])
    assert old in signed
    ((verdict,),) = judged([signed.replace(old, new)], monday=record("rsa"))
    assert verdict is not True


def test_lines_stay_short_and_the_message_as_it_was() -> None:
    dkim = Dkim(domain="letters.example.org", selector="monday", private_key_pem=pem(keys()["rsa"]))
    for message in messages():
        signed = dkim.sign(message)
        assert signed.endswith(message)
        assert max(len(line) for line in signed[: -len(message)].split(b"\r\n")) <= 78


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        pem(ec.generate_private_key(ec.SECP256R1())),
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(SettingsError, match="holds no RSA or Ed25519 key") as caught:
        Dkim(domain="letters.example.org", selector="monday", private_key_pem=text)
    assert "AAAA" not in str(caught.value)
