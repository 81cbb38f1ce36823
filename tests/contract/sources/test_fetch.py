"""Fetching from strangers, over real connections: from the public only, in time, and no more than there is room for."""

from __future__ import annotations

import gzip
import resource
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from newsletter.sources.calls import Limits
from newsletter.sources.fetch import Fetched, Fetcher
from newsletter.sources.public import is_public
from tests.contract.sources.stranger import Answer, Stranger, answer, endless, late, raw

QUICK = Limits(total_s=0.8, connect_s=0.8, max_bytes=200_000)
ROOMY = Limits(total_s=10, max_bytes=200_000)
AGENT = "newsletter (+https://letters.example.org)"


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with Stranger().serving() as here:
        yield here


def get(url: str, *, limits: Limits = ROOMY, **options: str) -> Fetched:
    return Fetcher(agent=AGENT, limits=limits).get(url, loopback=True, **options)


def failed(url: str, *, limits: Limits = ROOMY) -> str:
    """Why nothing came; in time, whatever happens."""
    started = time.monotonic()
    fetched = get(url, limits=limits)
    assert time.monotonic() - started < limits.total_s + 2
    assert (fetched.body, fetched.status) == (b"", 0)
    return fetched.failed


# A plain answer


def test_an_answer_comes_with_all_that_is_worth_knowing(stranger: Stranger) -> None:
    stranger.pages["/feed"] = answer(
        b"<rss/>", ETag='"1"', Last_Modified="Fri, 20 Nov 2026 08:00:00 GMT", Content_Type="text/xml"
    )
    fetched = get(f"{stranger.url}/feed")
    assert fetched == Fetched(
        status=200,
        url=f"{stranger.url}/feed",
        body=b"<rss/>",
        media_type="text/xml",
        etag='"1"',
        modified="Fri, 20 Nov 2026 08:00:00 GMT",
    )  # fmt: skip


def test_we_say_who_we_are_and_bring_nothing_along(
    stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    stranger.pages = {
        "/": answer(status=302, Location="/next", Set_Cookie="who=me"),
        "/next": answer(b"x", Set_Cookie="who=me"),
    }
    assert get(f"{stranger.url}/").body == b"x"
    for _, fields in stranger.asked:
        assert fields["user-agent"] == AGENT
        assert not {"cookie", "authorization", "proxy-authorization", "referer"} & {*fields}


def test_validators_are_sent_and_a_304_is_an_answer(stranger: Stranger) -> None:
    stranger.pages["/"] = answer(status=304, ETag='"1"')
    assert get(f"{stranger.url}/", etag='"1"', modified="Fri").status == 304
    assert stranger.asked[0][1]["if-none-match"] == '"1"'
    assert stranger.asked[0][1]["if-modified-since"] == "Fri"


@pytest.mark.parametrize("etag", ["x" * 501, "\xff", ""])
def test_a_validator_that_is_none_is_not_kept(stranger: Stranger, etag: str) -> None:
    stranger.pages["/"] = answer(b"x", ETag=etag)
    assert get(f"{stranger.url}/").etag == ""


@pytest.mark.parametrize(
    ("status", "said", "wait_s"),
    [
        (429, "120", 120),
        (503, "soon", None),
        (429, "in two hours", 7200),
        (429, "two hours ago", 0),
        (429, "9" * 30, 604_800),
        (429, "9" * 5000, 604_800),
        (429, "-5", None),
        (429, "", None),
        (500, "120", 120),
        (200, "120", None),
    ],
)
def test_how_long_somebody_wants_to_be_left_alone(
    stranger: Stranger, status: int, said: str, wait_s: int | None
) -> None:
    hours = {"in two hours": 2, "two hours ago": -2}.get(said)
    if hours:
        said = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
    stranger.pages["/"] = answer(status=status, Retry_After=said)
    fetched = get(f"{stranger.url}/")
    assert (fetched.status, fetched.failed) == (status, "")
    assert (fetched.wait is None) == (wait_s is None)
    if fetched.wait is not None and wait_s is not None:
        assert abs(fetched.wait.total_seconds() - wait_s) < 60


def test_whoever_only_looks_reads_nothing(stranger: Stranger) -> None:
    stranger.pages["/"] = endless(b"x" * 65536)
    # look() is for links of letters, which never lead to this machine; so it is the body that is looked at here.
    fetcher = Fetcher(agent=AGENT, limits=ROOMY)
    assert fetcher.look(f"{stranger.url}/").failed == "it leads to an address that is not public"
    found = fetcher._fetch(f"{stranger.url}/", {}, loopback=True, body=False)
    assert (found.status, found.body) == (200, b"")


# Room


@cache
def packed(size: int) -> bytes:
    return gzip.compress(b"\0" * size, compresslevel=9, mtime=0)


RAW = zlib.compressobj(9, zlib.DEFLATED, -15)
BARE_DEFLATE = RAW.compress(b"<rss/>") + RAW.flush()
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"<rss/>", "identity"),
        (gzip.compress(b"<rss/>", mtime=0), "gzip"),
        (gzip.compress(b"<rss", mtime=0) + gzip.compress(b"/>", mtime=0), "x-gzip"),
        (gzip.compress(b"<rss/>", mtime=0) + b"\0" * 100, "GZIP"),
        (zlib.compress(b"<rss/>"), "deflate"),
        (BARE_DEFLATE, "deflate"),
    ],
)
def test_what_is_packed_is_unpacked(stranger: Stranger, body: bytes, encoding: str) -> None:
    stranger.pages["/"] = answer(body, Content_Encoding=encoding)
    assert get(f"{stranger.url}/").body == b"<rss/>"


@pytest.mark.parametrize(
    "page",
    [
        answer(b"", length=100_000_000),
        endless(b"x" * 65536),
        endless(b"10000\r\n" + b"x" * 65536 + b"\r\n", head=CHUNKED),
        answer(packed(100_000_000), Content_Encoding="gzip"),
        answer(zlib.compress(b"\0" * 100_000_000, 9), Content_Encoding="deflate"),
        answer(gzip.compress(b"\0" * 1000, mtime=0) * 300, Content_Encoding="gzip"),
        answer(packed(200_001), Content_Encoding="gzip"),
        answer(b"x" * 200_001),
    ],
    ids=["said", "endless", "chunked", "gzip bomb", "deflate bomb", "many parts", "one over, packed", "one over"],
)
def test_what_is_too_large_is_given_up_before_it_is_here(stranger: Stranger, page: Answer) -> None:
    stranger.pages["/"] = page
    assert failed(f"{stranger.url}/") == "its answer is larger than 0.2 MB"


def test_as_much_as_there_is_room_for_is_taken(stranger: Stranger) -> None:
    stranger.pages["/"] = answer(packed(200_000), Content_Encoding="gzip")
    assert len(get(f"{stranger.url}/").body) == 200_000


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 1000, "compress"])
def test_a_packing_nobody_asked_for_is_not_unpacked(stranger: Stranger, encoding: str) -> None:
    stranger.pages["/"] = answer(packed(100_000_000), Content_Encoding=encoding)
    assert failed(f"{stranger.url}/") == "its answer is packed in a way that was not asked for"
    assert stranger.asked[0][1]["accept-encoding"] == "gzip, deflate"


def test_a_redirect_of_any_size_is_not_read(stranger: Stranger) -> None:
    stranger.pages["/"] = endless(b"x" * 65536, head=b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n")
    stranger.pages["/next"] = answer(b"x")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert get(f"{stranger.url}/").body == b"x"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (answer(b"not packed", Content_Encoding="gzip"), "its answer cannot be unpacked"),
        (answer(packed(1000)[:-12], Content_Encoding="gzip"), "its answer was cut off"),
        (answer(b"half", length=100), "its answer was cut off"),
        (raw(CHUNKED, b"ffff\r\nhalf"), "its answer was cut off"),
        (raw(CHUNKED, b"4\r\nhalf\r\n"), "its answer was cut off"),
        (raw(CHUNKED, b"zz\r\nhalf\r\n0\r\n\r\n"), "its answer was cut off"),
        (endless(b"1" * 65536, head=CHUNKED), "its answer was cut off"),
        (raw(HEAD + b"Content-Length: lots\r\n\r\n"), "the connection broke"),
        (raw(HEAD + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"), "the connection broke"),
        (raw(HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n"), "the connection broke"),
        (raw(HEAD + b"X: x\r\n" * 1000 + b"\r\n"), "the connection broke"),
        (raw(HEAD[:10]), "the connection broke"),
        (raw(), "the connection broke"),
        (raw(b"SSH-2.0-server\r\n"), "the connection broke"),
        (raw(b"\0" * 1000), "the connection broke"),
    ],
)
def test_half_an_answer_is_none(stranger: Stranger, page: Answer, words: str) -> None:
    stranger.pages["/"] = page
    assert failed(f"{stranger.url}/") == words


# Time


@pytest.mark.parametrize("where", ["status", "headers", "continues", "body", "chunks", "before anything"])
def test_whoever_drips_is_left_in_time(stranger: Stranger, where: str) -> None:
    stranger.pages["/"] = {
        "status": stranger.drip(b"HTTP/1.1 200 ", b"O"),
        "headers": stranger.drip(HEAD, b"X: x\r\n", every_s=0.2),
        "continues": stranger.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "body": stranger.drip(HEAD + b"\r\n", b"x"),
        "chunks": stranger.drip(CHUNKED, b"1\r\nx\r\n"),
        "before anything": late(5, answer(b"x")),
    }[where]
    assert failed(f"{stranger.url}/", limits=QUICK) == "it took longer than 0.8 seconds"


def test_the_time_is_for_all_redirects_together(stranger: Stranger) -> None:
    stranger.pages = {f"/{n}": late(0.3, answer(status=302, Location=f"/{n + 1}")) for n in range(5)}
    assert failed(f"{stranger.url}/0", limits=QUICK) == "it took longer than 0.8 seconds"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_says_nothing_is_left_in_time(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        words = failed(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/", limits=QUICK)
    assert words in ("it took longer than 0.8 seconds", "it does not answer")


def test_a_server_that_is_not_there_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert failed(f"http://127.0.0.1:{port}/") == "it refuses connections"


def test_a_name_nobody_knows_is_said_to_be_unknown() -> None:
    assert failed("http://no.such.name.invalid/") == "its name is not known here"


def test_a_resolver_that_does_not_answer_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: time.sleep(1) or [])
    assert failed("http://slow.example/", limits=Limits(total_s=5, connect_s=0.3)) == "it does not answer"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for this machine that nobody vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    start = datetime.now(UTC) - timedelta(days=1)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=2))
    signed = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    path = tmp_path / "both.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def secure(certificate: Path) -> Iterator[Stranger]:
    here = Stranger()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    here.server.socket = context.wrap_socket(here.server.socket, server_side=True)
    with here.serving():
        yield here


def test_a_certificate_nobody_vouches_for_is_refused(secure: Stranger) -> None:
    assert failed(f"https://127.0.0.1:{secure.port}/") == "its certificate is not valid for this name"
    assert secure.asked == []


def test_what_comes_over_tls_has_the_same_limits(
    secure: Stranger, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))
    url = f"https://127.0.0.1:{secure.port}"
    secure.pages = {
        "/": answer(b"x"),
        "/drip": secure.drip(HEAD + b"\r\n", b"x"),
        "/large": endless(b"x" * 65536),
        "/away": answer(status=302, Location="https://10.0.0.1/"),
    }
    assert get(f"{url}/").body == b"x"
    assert failed(f"{url}/drip", limits=QUICK) == "it took longer than 0.8 seconds"
    assert failed(f"{url}/large") == "its answer is larger than 0.2 MB"
    assert failed(f"{url}/away") == "it leads to an address that is not public"


# Whom we talk to


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.9.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_the_publics(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::101:101"],
)
def test_addresses_of_the_public(address: str) -> None:
    assert is_public(address)


NOT_PUBLIC = "it leads to an address that is not public"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "LOCALHOST.", "[::1]", "0",
     "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "169.254.169.254", "10.0.0.1", "[fe80::1]", "[fd00::1]"],
)  # fmt: skip
def test_nothing_on_our_side_is_reached_however_it_is_written(stranger: Stranger, host: str) -> None:
    fetched = Fetcher(agent=AGENT).get(f"http://{host}:{stranger.port}/")
    assert fetched.failed == NOT_PUBLIC
    assert stranger.asked == []


@pytest.mark.parametrize(
    "to",
    ["http://127.0.0.1:{other}/", "//127.0.0.1:{other}/", "http://localhost:{other}/", "http://127.0.0.2:{port}/",
     "http://[::ffff:127.0.0.1]:{port}/", "http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/",
     "http://2130706433:{other}/", "http://0x7f.1:{other}/", "https://127.0.0.1:{other}/"],
)  # fmt: skip
def test_a_redirect_leads_nowhere_on_our_side(stranger: Stranger, to: str) -> None:
    with Stranger().serving() as other:
        other.pages["/"] = answer(b"secret")
        stranger.pages["/"] = answer(status=302, Location=to.format(other=other.port, port=stranger.port))
        assert failed(f"{stranger.url}/") == NOT_PUBLIC
        assert other.asked == []
    assert len(stranger.asked) == 1


NO_ADDRESS = "its address, or where it redirects to, is no http:// or https:// address"
WITH_USER = "its address, or where it redirects to, holds a user's name"


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("file:///etc/passwd", NO_ADDRESS),
        ("ftp://example.org/", NO_ADDRESS),
        ("gopher://127.0.0.1:25/", NO_ADDRESS),
        ("javascript:alert(1)", NO_ADDRESS),
        ("data:text/plain,x", NO_ADDRESS),
        ("http://127.0.0.1:99999/", NO_ADDRESS),
        ("http://127.0.0.1:x/", NO_ADDRESS),
        ("http://[bad/", "it redirects to what is no address"),
        ("http://somebody:secret@127.0.0.1/", WITH_USER),
        ("http://@127.0.0.1/", WITH_USER),
    ],
)
def test_a_redirect_to_what_is_no_address_is_not_followed(stranger: Stranger, to: str, words: str) -> None:
    stranger.pages["/"] = answer(status=301, Location=to)
    assert failed(f"{stranger.url}/") == words


@pytest.mark.parametrize("url", ["file:///etc/passwd", "feed://127.0.0.1/", "", "127.0.0.1", "http://", "/etc/passwd"])
def test_what_is_no_address_is_not_asked_for(url: str) -> None:
    assert failed(url) == NO_ADDRESS


@pytest.mark.parametrize(
    "host", ["http://a..b/", "http://" + "a" * 70 + ".example/", "http://*/", "http://exa mple/", "http://\0/"]
)
def test_a_host_that_is_none_fails_in_words(host: str) -> None:
    assert failed(host) in ("its address is none", "its name is not known here")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_five_redirects_are_followed_and_no_more(stranger: Stranger, status: int) -> None:
    stranger.pages = {f"/{n}": answer(status=status, Location=f"{n + 1}") for n in range(6)}
    stranger.pages["/6"] = answer(b"x")
    assert get(f"{stranger.url}/1").body == b"x"
    assert get(f"{stranger.url}/1").url == f"{stranger.url}/6"
    assert failed(f"{stranger.url}/0") == "it redirects more than 5 times"


def test_a_redirect_to_itself_ends(stranger: Stranger) -> None:
    stranger.pages["/"] = answer(status=302, Location="/")
    assert failed(f"{stranger.url}/") == "it redirects more than 5 times"
    assert len(stranger.asked) == 6


def test_a_redirect_to_nowhere_is_an_answer(stranger: Stranger) -> None:
    stranger.pages["/"] = answer(status=302)
    assert get(f"{stranger.url}/").status == 302


def resolver(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """A resolver that says something else each time; the list of who was asked for."""
    asked: list[str] = []

    def say(host: str, port: int, **_named: int) -> list[tuple[object, ...]]:
        asked.append(host)
        addresses = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", say)
    return asked


def test_the_address_that_was_checked_is_the_one_that_is_reached(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Stranger("127.0.0.2", stranger.port).serving() as elsewhere:
        stranger.pages["/"] = answer(b"checked")
        elsewhere.pages["/"] = answer(b"another")
        asked = resolver(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
        assert get(f"http://rebinds.example:{stranger.port}/").body == b"checked"
        assert asked == ["rebinds.example"]
        assert elsewhere.asked == []


def test_a_name_that_turns_to_our_side_later_is_refused_then(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger.pages["/"] = answer(status=302, Location=f"http://other.example:{stranger.port}/")
    resolver(monkeypatch, ["127.0.0.1"], ["10.0.0.1", "127.0.0.1"])
    assert failed(f"http://rebinds.example:{stranger.port}/") == NOT_PUBLIC


def test_of_many_addresses_only_those_are_tried_that_may_be(
    stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger.pages["/"] = answer(b"x")
    resolver(monkeypatch, ["10.255.255.1", "169.254.169.254", "127.0.0.1"])
    started = time.monotonic()
    assert get(f"http://many.example:{stranger.port}/").body == b"x"
    assert time.monotonic() - started < 5
