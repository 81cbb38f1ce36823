"""The sender's domain, asked of a real name server: what receivers would make of it, and an end to every wait."""

from __future__ import annotations

import base64
import socket
import time
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from newsletter.sources.domain import Sender, Signing, examine
from newsletter.sources.finding import Level
from newsletter.sources.names import Dns
from tests.contract.sources.nameserver import Nameserver, in_strings

DOMAIN = "letters.monday.test"
SENDER = Sender(
    domain=DOMAIN, answers=DOMAIN, returns=DOMAIN, returns_ours=True, signing=(), signer="somebody else signs"
)
OK, WARNING, ERROR = Level.OK, Level.WARNING, Level.ERROR


def good() -> dict[str, list[str]]:
    return {
        f"TXT {DOMAIN}": ["some-site-verification=1", "v=spf1 include:spf.carrier.test ip4:192.0.2.1 -all"],
        "TXT spf.carrier.test": ["v=spf1 ip4:198.51.100.0/24 ~all"],
        f"TXT _dmarc.{DOMAIN}": ["v=DMARC1; p=reject; rua=mailto:reports@monday.test"],
        f"MX {DOMAIN}": [f"{number}0 m{number}.monday.test." for number in (3, 1, 2, 5, 4)],
    }


@pytest.fixture
def server():
    with Nameserver(good()) as server:
        yield server


def look(server, sender=SENDER, **times):
    found = examine(sender, server.dns(**times))
    assert all(bool(each.fix) is (each.level is not OK) for each in found)
    return {each.what: each for each in found}


def spf(server, *records, sender=SENDER):
    server.zone[f"TXT {DOMAIN}"] = list(records)
    return look(server, sender)["SPF"]


def test_a_good_domain_is_told_in_four_lines_without_an_address(server) -> None:
    found = look(server)
    assert [(what, each.level) for what, each in found.items()] == [
        (what, OK) for what in ("SPF", "DKIM", "DMARC", "MX")
    ]
    assert found["SPF"].detail == f"{DOMAIN}, one record, 1 of 10 lookups, -all"
    assert "policy reject" in found["DMARC"].detail
    assert "m1.monday.test and 4 more" in found["MX"].detail
    assert not any("@" in each.detail for each in found.values())


BAD_SPF = {
    "none": ([], ERROR, "no record"),
    "two": (["v=spf1 -all", "v=spf1 ip4:192.0.2.1 -all"], ERROR, "two records"),
    "everybody": (["v=spf1 +all"], ERROR, "+all"),
    "everybody, unsaid": (["v=spf1 all"], ERROR, "+all"),
    "neutral": (["v=spf1 ip4:192.0.2.1 ?all"], WARNING, "?all"),
    "no end": (["v=spf1 ip4:192.0.2.1"], WARNING, "?all"),
    "misspelt": (["v=spf1 inculde:spf.carrier.test -all"], ERROR, "inculde"),
    "circle": ([f"v=spf1 include:{DOMAIN} -all"], ERROR, "leads back"),
    "gone": (["v=spf1 include:gone.carrier.test -all"], ERROR, "gone.carrier.test, which has no record"),
    "many": (["v=spf1 " + " ".join(f"a:h{n}.monday.test" for n in range(11)) + " -all"], ERROR, "more than 10"),
    "open include": (["v=spf1 include:open.carrier.test -all"], ERROR, "open.carrier.test, which lets everybody in"),
    "no domain": (["v=spf1 include: -all"], ERROR, "no domain"),
    "an address": (["v=spf1 include:me@carrier.test -all"], ERROR, "no domain"),
    "elsewhere": (["v=spf1 redirect=open.carrier.test"], ERROR, "+all"),
}


@pytest.mark.parametrize("what", BAD_SPF)
def test_what_receivers_refuse_in_spf_is_named(server, what: str) -> None:
    server.zone["TXT open.carrier.test"] = ["v=spf1 all"]
    records, level, words = BAD_SPF[what]
    found = spf(server, *records, "a-verification")
    assert (found.level, words in found.detail) == (level, True), found


GOOD_SPF = {
    "soft": (["v=spf1 mx ~all"], "1 of 10 lookups, ~all"),
    "long": (['"v=spf1 ip4:192.0.2.1 include:spf.car" "rier.test -all"'], "1 of 10 lookups, -all"),
    "capitals": (["V=SPF1 IP4:192.0.2.1 -ALL"], "-all"),
    "shut include": (["v=spf1 -include:open.carrier.test ~all"], "1 of 10 lookups, ~all"),
    "redirect": (["v=spf1 redirect=spf.carrier.test"], "1 of 10 lookups, ~all"),
    "macro": (["v=spf1 include:%{i}._spf.carrier.test exists:%{i}.carrier.test -all"], "2 of 10 lookups"),
    "ten": (["v=spf1 " + " ".join(f"a:h{n}.monday.test" for n in range(10)) + " -all"], "10 of 10"),
    "unread": (["v=spf1 -all include:gone.carrier.test"], "0 of 10 lookups"),
    "modifier": (["v=spf1 exp=why.monday.test -all"], "0 of 10 lookups"),
    "look-alike": (["v=spf10 +all", "v=spf1 -all"], "one record"),
}


@pytest.mark.parametrize("what", GOOD_SPF)
def test_what_receivers_accept_in_spf_is_not_complained_about(server, what: str) -> None:
    server.zone["TXT open.carrier.test"] = ["v=spf1 all"]
    records, words = GOOD_SPF[what]
    found = spf(server, *records)
    assert (found.level, words in found.detail) == (OK, True), found


def test_the_lookups_of_included_records_count_too(server) -> None:
    server.zone["TXT spf.carrier.test"] = ["v=spf1 " + " ".join(f"exists:h{n}.carrier.test" for n in range(10))]
    assert "more than 10" in look(server)["SPF"].detail


def test_spf_is_looked_up_where_bounces_go(server) -> None:
    server.zone["TXT bounces.monday.test"] = ["v=spf1 -all"]
    server.zone[f"TXT {DOMAIN}"] = ["nothing"]
    assert look(server, replace(SENDER, returns="bounces.monday.test"))["SPF"].level is OK


def test_without_a_record_a_provider_with_its_own_return_path_is_only_a_note(server) -> None:
    assert spf(server, "nothing", sender=replace(SENDER, returns_ours=False)).level is WARNING


@pytest.mark.parametrize(
    ("records", "level", "words"),
    [
        (None, ERROR, "not there"),
        (["v=DMARC1; p=none"], OK, "policy none: receivers report"),
        (["v=DMARC1;p=quarantine;sp=none"], OK, "policy quarantine"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], ERROR, "two records"),
        (["v=DMARC1; rua=mailto:reports@monday.test"], ERROR, "no policy"),
        (["v=DMARC1; p=strict"], ERROR, "no policy"),
        (["v=DMARC12; p=none"], ERROR, "not there"),
    ],
)
def test_dmarc(server, records, level: Level, words: str) -> None:
    server.zone.pop(f"TXT _dmarc.{DOMAIN}")
    if records:
        server.zone[f"TXT _dmarc.{DOMAIN}"] = records
    found = look(server)["DMARC"]
    assert (found.level, words in found.detail) == (level, True), found
    assert "@" not in found.detail
    assert "TXT _dmarc.test" not in server.asked


def test_the_dmarc_policy_of_the_domain_above_counts_as_it_says_for_those_below(server) -> None:
    server.zone.pop(f"TXT _dmarc.{DOMAIN}")
    server.zone["TXT _dmarc.monday.test"] = ["v=DMARC1; p=reject; sp=quarantine"]
    assert look(server)["DMARC"].detail == "_dmarc.monday.test, policy quarantine"


@pytest.mark.parametrize(
    ("records", "level", "words"),
    [
        ({f"MX {DOMAIN}": ["0 ."]}, ERROR, "takes no mail"),
        ({}, ERROR, "answers would be lost"),
        ({f"A {DOMAIN}": ["192.0.2.1"]}, WARNING, "has none"),
        ({f"AAAA {DOMAIN}": ["2001:db8::1"]}, WARNING, "has none"),
    ],
)
def test_whether_answers_come_back(server, records, level: Level, words: str) -> None:
    server.zone.pop(f"MX {DOMAIN}")
    server.zone |= records
    found = look(server)["MX"]
    assert (found.level, words in found.detail) == (level, True), found


def test_answers_are_looked_for_where_they_go(server) -> None:
    server.zone["MX desk.test"] = ["10 mail.desk.test."]
    server.zone.pop(f"MX {DOMAIN}")
    assert look(server, replace(SENDER, answers="desk.test"))["MX"].level is OK


RSA = generate_private_key(public_exponent=65537, key_size=2048).public_key()
SHORT = generate_private_key(public_exponent=65537, key_size=1024).public_key()
DER = RSA.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
SHORT_DER = SHORT.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
ED = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
P = base64.b64encode(DER).decode()


@pytest.mark.parametrize(
    ("record", "public", "level", "words"),
    [
        (f"v=DKIM1; k=rsa; p={P}", DER, OK, "the key that we sign with"),
        (f"p={P}", b"", OK, "a key"),
        (f"v=DKIM1; k=ed25519; p={base64.b64encode(ED).decode()}", ED, OK, "the key that we sign with"),
        (f"v=DKIM1; k=rsa; p={P}", SHORT_DER, ERROR, "not the key"),
        (f"v=DKIM1; p={base64.b64encode(SHORT_DER).decode()}", SHORT_DER, WARNING, "1024 bits"),
        (f"v=DKIM1; t=y; p={P}", DER, WARNING, "test"),
        ("v=DKIM1; p=", DER, ERROR, "revoked"),
        ("v=DKIM1; p=not base64!", DER, ERROR, "no key that can be read"),
        ("v=DKIM1; p=AAAA", DER, ERROR, "no key that can be read"),
        ("a-verification", DER, ERROR, "not there"),
    ],
    ids=range(10),
)
def test_our_own_key(server, record: str, public: bytes, level: Level, words: str) -> None:
    server.zone[f"TXT nl._domainkey.{DOMAIN}"] = [in_strings(record)]
    signing = Signing(selector="nl", domain=DOMAIN, public=public)
    found = look(server, replace(SENDER, signing=(signing,)))["DKIM"]
    assert (found.level, words in found.detail) == (level, True), found


def test_a_key_of_another_domain_counts_for_nothing(server) -> None:
    server.zone["TXT nl._domainkey.carrier.test"] = [in_strings(f"p={P}")]
    server.zone["TXT nl._domainkey.monday.test"] = [in_strings(f"p={P}")]
    for domain, level in (("carrier.test", ERROR), ("monday.test", OK)):
        signing = Signing(selector="nl", domain=domain)
        assert look(server, replace(SENDER, signing=(signing,)))["DKIM"].level is level


def test_a_name_for_examples_is_told_without_asking_anybody(server) -> None:
    found = look(server, replace(SENDER, domain="letters.example.org"))
    assert found["sender domain"].level is ERROR
    assert server.asked == []


def test_a_domain_that_does_not_exist_is_one_line(server) -> None:
    found = look(server, replace(SENDER, domain="mondya.test"))
    assert list(found) == ["sender domain"]
    assert found["sender domain"].level is ERROR


def test_a_domain_that_dns_cannot_speak_of_is_a_note_line_by_line(server) -> None:
    server.rcodes = dict.fromkeys([DOMAIN, f"_dmarc.{DOMAIN}"], "SERVFAIL")
    found = look(server)
    assert {what: each.level for what, each in found.items()} == {
        "SPF": WARNING,
        "DKIM": OK,
        "DMARC": WARNING,
        "MX": WARNING,
    }
    assert "SERVFAIL" in found["SPF"].detail


def test_a_server_that_says_nothing_is_one_note_soon(server) -> None:
    server.silent = {"*"}
    started = time.monotonic()
    found = look(server, question_s=0.4, all_s=1.0)
    assert time.monotonic() - started < 2
    assert list(found) == ["sender domain"]
    assert found["sender domain"].level is WARNING
    assert "DNS does not answer" in found["sender domain"].detail


def test_nobody_there_is_one_note_soon() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
    found = examine(SENDER, Dns(servers=("127.0.0.1",), port=port, question_s=0.5, all_s=1.0))
    assert [(each.what, each.level) for each in found] == [("sender domain", WARNING)]


def test_one_silent_name_keeps_nothing_else_from_being_told(server) -> None:
    server.silent = {"spf.carrier.test"}
    found = look(server, question_s=0.4)
    assert (found["SPF"].level, found["DMARC"].level) == (WARNING, OK)


def test_the_time_for_all_ends_a_single_question_too(server) -> None:
    server.silent = {"spf.carrier.test"}
    started = time.monotonic()
    assert look(server, question_s=3.0, all_s=0.5)["SPF"].level is WARNING
    assert time.monotonic() - started < 1.5


def test_a_packet_that_is_lost_is_asked_for_again(server) -> None:
    answer = server._answer
    server._answer = lambda query: answer(query) if server.asked else server.asked.append("lost")
    assert {each.level for each in look(server).values()} == {OK}


def test_a_tree_of_includes_ends_with_the_time_for_all(server) -> None:
    names = [f"s{number}.carrier.test" for number in range(8)]
    server.zone[f"TXT {DOMAIN}"] = ["v=spf1 " + " ".join(f"include:{name}" for name in names) + " -all"]
    server.zone |= {f"TXT {name}": ["v=spf1 -all"] for name in names}
    answer = server._answer

    def slowly(query):
        time.sleep(0.2)
        return answer(query)

    server._answer = slowly
    started = time.monotonic()
    found = look(server, question_s=0.8, all_s=1.2)
    assert time.monotonic() - started < 2.2
    assert found["SPF"].level is WARNING
