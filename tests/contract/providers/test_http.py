"""The way to an API: what certainly did not leave and what may have, on lines that break at every place."""

from __future__ import annotations

import gzip
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from newsletter.errors import ProviderBusy, ProviderRefused
from newsletter.providers import connections
from newsletter.providers.http import LONGEST_WAIT, Answer, DoubtfulCall, Http, bearer, connect, redacted
from tests.contract.providers.clouds import never

Serve = Callable[[socket.socket, int], None]  # one connection, and the how-manyeth it is
DAY_S = 24 * 60 * 60
OK = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"id":"x"}'


@contextmanager
def server(serve: Serve) -> Iterator[str]:
    """A server that treats each connection as *serve* does; where it is."""
    listener = socket.create_server(("127.0.0.1", 0))

    def work(line: socket.socket, number: int) -> None:
        with line, suppress(OSError):
            serve(line, number)

    def accept() -> None:
        with suppress(OSError):
            for number in range(1, 100):
                line, _ = listener.accept()
                threading.Thread(target=work, args=(line, number), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def read_request(line: socket.socket) -> bytes:
    """A whole request, or nothing if the line was closed."""
    data = b""
    while b"\r\n\r\n" not in data or not data.endswith(b"}"):
        more = line.recv(65536)
        if not more:
            return b""
        data += more
    return data


def call(http: Http, body: bytes = b"{}") -> Answer:
    return http.post("/x", body, {"Content-Type": "application/json"})


def way(url: str, *, key: str = "re_a_key_for_tests_only") -> Http:
    return connect("acme", url, bearer(key), never, call_s=2)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(secret + made.public_bytes(pem))
    return path


def over_tls(certificate: Path, serve: Serve) -> Serve:
    """The same behind a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def wrapped(line: socket.socket, number: int) -> None:
        with context.wrap_socket(line, server_side=True) as tls:
            serve(tls, number)

    return wrapped


def tls_way(where: str, certificate: Path) -> Http:
    http = way(f"https://{where}")
    http.session.verify = str(certificate)
    return http


def test_an_alert_of_tls_instead_of_an_answer_is_in_doubt(certificate) -> None:
    def alert(line: socket.socket, _number: int) -> None:
        read_request(line)
        with socket.socket(fileno=os.dup(line.fileno())) as beneath:
            beneath.sendall(b"\x15\x03\x03\x00\x02\x02\x50")  # fatal: internal error

    with server(over_tls(certificate, alert)) as where, pytest.raises(DoubtfulCall):
        call(tls_way(where, certificate))


def test_over_tls_an_answer_comes_and_the_connection_is_kept(certificate) -> None:
    seen = []

    def serve(line: socket.socket, number: int) -> None:
        while read_request(line):
            seen.append(number)
            line.sendall(OK)

    with server(over_tls(certificate, serve)) as where:
        http = tls_way(where, certificate)
        assert [call(http).data for _ in range(3)] == [{"id": "x"}] * 3
    assert seen == [1, 1, 1]


def test_a_certificate_that_nobody_vouches_for_stops_the_run(certificate) -> None:
    with (
        server(over_tls(certificate, lambda line, _number: line.sendall(OK))) as where,
        pytest.raises(ProviderRefused, match="certificate"),
    ):
        call(way(f"https://{where}"))


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x50"])
def test_a_handshake_that_breaks_is_busy_for_nothing_left(certificate, said: bytes) -> None:
    def serve(line: socket.socket, _number: int) -> None:
        line.recv(1000)
        line.sendall(said)

    with server(serve) as where, pytest.raises(ProviderBusy):
        call(tls_way(where, certificate))


def test_a_handshake_that_never_ends_is_busy_for_nothing_left(certificate, monkeypatch) -> None:
    monkeypatch.setattr("newsletter.providers.http.CONNECT_S", 0.2)

    def serve(line: socket.socket, _number: int) -> None:
        while line.recv(1000):
            pass

    with server(serve) as where, pytest.raises(ProviderBusy):
        call(tls_way(where, certificate))


@pytest.mark.parametrize("asked_to_stop", [False, True])
def test_a_call_that_was_given_up_before_it_left_never_leaves(certificate, monkeypatch, asked_to_stop: bool) -> None:
    monkeypatch.setattr("newsletter.providers.http.STOP_S", 0.2)
    came: list[bytes] = []
    given_up, over = threading.Event(), threading.Event()

    def serve(line: socket.socket, _number: int) -> None:
        given_up.wait(5)
        with suppress(OSError):
            over_tls(certificate, lambda tls, _: came.append(tls.recv(1000)))(line, 1)
        over.set()

    with server(serve) as where:
        http = connect(
            "acme", f"https://{where}", bearer("re_key"), lambda: asked_to_stop, call_s=5 if asked_to_stop else 0.3
        )
        http.session.verify = str(certificate)
        with pytest.raises(ProviderBusy):
            call(http)
        given_up.set()
        assert over.wait(5)
    assert came in ([], [b""])


@pytest.mark.parametrize("said", [b"", b"HT", b"no HTTP at all\r\n\r\n"])
def test_a_line_that_breaks_after_the_request_is_in_doubt(said: bytes) -> None:
    def serve(line: socket.socket, _number: int) -> None:
        read_request(line)
        line.sendall(said)

    with server(serve) as where, pytest.raises(DoubtfulCall):
        call(way(f"http://{where}"))


def test_a_server_that_hangs_up_before_it_read_all_is_in_doubt() -> None:
    with server(lambda line, _number: line.recv(10) and None) as where, pytest.raises(DoubtfulCall):
        call(way(f"http://{where}"), b"x" * 20_000_000)


def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    def serve(line: socket.socket, _number: int) -> None:
        read_request(line)
        line.sendall(OK)

    with server(serve) as where:
        http = way(f"http://{where}")
        for _ in range(5):
            assert call(http).status == 200
            threading.Event().wait(0.05)


@pytest.mark.parametrize(("rest_s", "used"), [(10.0, [1, 1]), (0.0, [1, 2])])
def test_a_connection_that_rested_is_not_used_again(monkeypatch, rest_s: float, used: list[int]) -> None:
    seen = []

    def serve(line: socket.socket, number: int) -> None:
        while read_request(line):
            seen.append(number)
            line.sendall(OK)

    monkeypatch.setattr(connections, "REST_S", rest_s)
    with server(serve) as where:
        http = way(f"http://{where}")
        call(http)
        call(http)
    assert seen == used


def test_the_answer_after_an_interim_one_is_not_taken_for_that_of_the_next_call() -> None:
    def serve(line: socket.socket, number: int) -> None:
        while data := read_request(line):
            if number == 1:
                line.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
                threading.Event().wait(0.2)
            body = data[-3:]
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + body)

    with server(serve) as where:
        http = way(f"http://{where}")
        with pytest.raises(DoubtfulCall):
            call(http, b"[1}")
        assert call(http, b"{ }").data == {}


def answered(said: bytes) -> Answer:
    """What is made of this answer."""

    def serve(line: socket.socket, _number: int) -> None:
        read_request(line)
        line.sendall(said)

    with server(serve) as where:
        return call(way(f"http://{where}"))


def head(*headers: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", *headers, "", "")).encode()


ZIPPED = gzip.compress(json.dumps({"id": "x"}).encode())


def test_answers_may_be_compressed_in_chunks_or_end_with_the_line() -> None:
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ZIPPED), ZIPPED)
    said = [
        OK,
        head() + b'{"id":"x"}',
        head("Content-Encoding: gzip", f"Content-Length: {len(ZIPPED)}") + ZIPPED,
        head("Content-Encoding: gzip", "Transfer-Encoding: chunked") + chunk,
    ]
    assert [answered(each).data for each in said] == [{"id": "x"}] * 4


@pytest.mark.parametrize(
    "said",
    [
        head("Content-Length: 11") + b'{"id":"x"}',  # a whole one by its looks
        head("Transfer-Encoding: chunked") + b'a\r\n{"id":"x"}\r\n',
        head("Transfer-Encoding: chunked") + b'x\r\n{"id":"x"}\r\n',
        head("Content-Encoding: gzip", "Content-Length: 4") + b'{"id',
    ],
)
def test_an_answer_that_breaks_off_is_in_doubt(said: bytes) -> None:
    with pytest.raises(DoubtfulCall):
        answered(said)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\n",
        head("Content-Encoding: gzip") + ZIPPED[:15],
        head() + b'{"id":',
        head() + b"[" * 100_000,
        head() + b'{"id": "\xff"}',
        head() + b'{"id": ' + b"9" * 5000 + b"}",
        head("Content-Encoding: gzip") + gzip.compress(b'"' + b"x" * 9_000_000 + b'"'),
    ],
    ids=range(7),
)
def test_an_answer_that_cannot_be_read_says_nothing(said: bytes) -> None:
    with suppress(DoubtfulCall):
        assert answered(said).data is None


@pytest.mark.parametrize(
    "url", ["api.example.org", "https://", "http://[::1", "ftp://127.0.0.1", "http://exa mple.org"]
)
def test_an_address_that_is_none_stops_the_run(url: str) -> None:
    with pytest.raises(ProviderRefused) as refused:
        call(way(url))
    assert refused.value.hint


def test_a_key_that_cannot_be_a_header_stops_the_run_and_is_not_told() -> None:
    with pytest.raises(ProviderRefused) as refused:
        call(way("http://127.0.0.1:1", key="re_secret_secret\nX: y"))
    assert "secret" not in f"{refused.value!r} {refused.value.hint}"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 7 "}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"retry-after": "7", "ratelimit-reset": "3"}, 7),
        ({"retry-after": "soon", "ratelimit-reset": "3"}, 3),
        ({"retry-after": "", "ratelimit-reset": "3"}, 3),
        ({"Retry-After": "9999999"}, DAY_S),
        ({"Retry-After": "99999999999999999999"}, None),
        ({"ratelimit-reset": "1795420800"}, None),  # an instant, and no number of seconds
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, DAY_S),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 -2359"}, DAY_S),
        ({"Retry-After": "Mon, 01 Jan 0001 00:00:00 +2359"}, 0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "NaN"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": "5, 5"}, None),
        ({"Retry-After": ","}, None),
        ({"Retry-After": "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"}, None),
        ({"Retry-After": "Fri, 99 Dec 2026 99:99:99 GMT"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read_whatever_it_says(headers: dict[str, str], wait_s: float | None) -> None:
    wait = Answer(429, CaseInsensitiveDict(headers), None).wait
    assert wait == (None if wait_s is None else timedelta(seconds=wait_s))


@given(st.text(alphabet=" ,:+-0123456789.eEADFGMTWJnabceoduvr\t", max_size=40) | st.text(max_size=40))
def test_no_wait_breaks_anything(said: str) -> None:
    wait = Answer(429, {"Retry-After": said}, None).wait
    assert wait is None or timedelta(0) <= wait <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("no box for zoe@example.org here", "no box for … here"),
        ("'zoe@example.org' or <zoe@example.org>", "'…' or <…>"),
        ('no "zoe m"@example.org', "no …"),
        ('no "zoe\\"m"@example.org', "no …"),
        ("no zoe%40example.org", "no …"),
        ("no zoe&#64;example.org", "no …"),
        ("no zoe\uff20example.org", "no …"),
        ("no zoe@\r\n example.org", "no …"),
        ("no zoe+tag@bücher.example.", "no …"),
        ("Missing final '@domain'", "Missing final '@domain'"),
        ("see https://letters.example.org/leave/SeCrEt-tOkEn.", "see https://letters.example.org/…"),
        ("see <https://letters.example.org/leave?t=SeCrEt> now", "see <https://letters.example.org/…> now"),
        ("see <mailto:leave@example.org?subject=leave%20SeCrEt>", "see <mailto:…>"),
        ("key re_SeCrEt12 here", "key … here"),
        ("key key-0123456789abcdef is bad", "key … is bad"),
        ("key 0123456789abcdef0123456789abcdef-01234567-89abcdef", "key …"),
        ("AKIASECRET0123456789 ASIASECRET0123456789", "… …"),
        ("Authorization: Bearer SeCrEt", "Authorization: …"),
        ("authorization: basic YXBpOnNlY3JldA==", "authorization: …"),
        ("x-amz-security-token:FwoGZXIvYXdzSeCrEt/+== host", "x-amz-security-token:… host"),
        ("two\nlines\u202e", "two lines"),
    ],
)
def test_no_address_personal_link_or_key_is_kept(said: str, kept: str) -> None:
    assert redacted(said) == kept
    assert len(redacted(said * 99)) <= 200
    assert "ecret" not in redacted(said * 99).lower().replace("security-token", "")


@pytest.mark.parametrize("said", ["x" * 8_000_000, '"' * 8_000_000, '"\\' * 4_000_000])
def test_a_word_without_end_does_not_hold_anybody_up(said: str) -> None:
    started = time.monotonic()
    assert len(redacted(said)) == 200
    assert time.monotonic() - started < 2
