"""Feeds of strangers, read in a program of their own: entries or a reason, in time, within limits, and remembered."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.errors import NewsletterError
from newsletter.sources import feedparsing, feeds
from newsletter.sources.calls import Limits
from newsletter.sources.feedmemory import FILE, Entry, Memory, Remembered, _key, entries_from
from newsletter.sources.feedparsing import MAX_ENTRIES, MEMORY_BYTES
from newsletter.sources.feeds import Gave, parse, read_feed
from newsletter.sources.fetch import Fetched, Fetcher
from newsletter.sources.files import Workspace
from tests.contract.sources.stranger import Answer, Stranger, answer, raw

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
URL = "https://feeds.example.org/ally/feed.xml"
LIMITS = Limits(total_s=5, connect_s=1)


def rss(*items: str, head: str = '<?xml version="1.0"?>') -> bytes:
    inside = "".join(f"<item>{each}</item>" for each in items)
    return f'{head}<rss version="2.0"><channel><title>Notes</title>{inside}</channel></rss>'.encode()


def entry(name: str = "one", *, date: str = "Fri, 20 Nov 2026 08:00:00 GMT") -> str:
    dated = f"<pubDate>{date}</pubDate>" if date else ""
    return f"<guid>{name}</guid><title>The {name}</title><link>https://example.org/{name}</link>{dated}"


def parsed(body: bytes, *, media_type: str = "application/rss+xml") -> tuple[list[Entry], str]:
    return parse(Fetched(status=200, url=URL, media_type=media_type, body=body))


def entries(body: bytes, *, media_type: str = "application/rss+xml") -> list[Entry]:
    """What the program reads of a feed, without starting it."""
    answer = feedparsing.read(json.dumps({"url": URL, "media_type": media_type}).encode() + b"\n" + body)
    assert answer["version"]
    return entries_from(json.loads(json.dumps(answer))["entries"])


# What a feed says


def test_an_entry_of_rss_is_read_whole() -> None:
    more = "<description>&lt;p&gt;Some words.&lt;/p&gt;</description><category>Listening</category>"
    assert parsed(rss(entry() + more)) == (
        [
            Entry(
                id="https://feeds.example.org/ally/one",
                link="https://example.org/one",
                title="The one",
                summary="<p>Some words.</p>",
                published=datetime(2026, 11, 20, 8, tzinfo=UTC),
                tags=("Listening",),
            )
        ],
        "",
    )


def test_an_entry_of_atom_is_read_whole() -> None:
    atom = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://base.example.org/"><entry>
        <id>urn:x:1</id><title type="text">a &lt;b&gt; c</title><link href="notes/1"/>
        <updated>2026-11-20T08:00:00Z</updated>
        <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Some words.</p></div></content>
        </entry></feed>"""
    ((found,), trouble) = parsed(atom.encode(), media_type="application/atom+xml")
    assert trouble == ""
    assert found.link == "https://base.example.org/notes/1"
    assert found.title == "a &lt;b&gt; c"
    assert "<p>Some words.</p>" in found.summary
    assert found.published == datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.mark.parametrize("media_type", ["", "text/plain", "text/html; charset=x-nonsense", "image/png", "a" * 200])
def test_a_feed_is_one_whatever_it_is_called(media_type: str) -> None:
    assert [each.title for each in entries(rss(entry()), media_type=media_type)] == ["The one"]


@pytest.mark.parametrize(
    "body",
    [
        rss("<title>Café</title>").replace("é".encode(), b"\xe9"),
        rss("<title>Café</title>", head='<?xml version="1.0" encoding="x-nonsense"?>'),
        rss("<title>Café</title>", head='<?xml version="1.0" encoding="iso-8859-1"?>'),
        rss("<title>Café</title>", head="").decode().encode("utf-16"),
        b"\xef\xbb\xbf" + rss("<title>Café</title>"),
        rss("<title>Caf\0é</title>"),
        rss("<title>Café</title>") + b"\xff\xfe\0\0" * 100,
        rss("<title>Café</title>")[:-20],
        rss("<title>Caf&nosuch;é</title>"),
        rss("<title>Caf&#xD800;é</title>"),
    ],
)
def test_a_broken_encoding_or_half_a_feed_still_gives_what_it_has(body: bytes) -> None:
    (found,) = entries(body)
    assert found.title.startswith("Caf")


@pytest.mark.parametrize(
    ("date", "published"),
    [
        ("Fri, 20 Nov 2026 08:00:00 +0100", datetime(2026, 11, 20, 7, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("Fri, 20 Nov 2099 08:00:00 GMT", datetime(2099, 11, 20, 8, tzinfo=UTC)),
        ("1731744000", None),
        ("16/11/2026", None),
        ("yesterday", None),
        ("9" * 5000, None),
        ("", None),
    ],
)
def test_a_date_is_one_or_none(date: str, published: datetime | None) -> None:
    assert entries(rss(entry(date=date)))[0].published == published


@pytest.mark.parametrize("order", [1, -1])
def test_of_ten_thousand_entries_the_newest_are_kept(order: int) -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    many = [entry(str(n), date=f"{start + timedelta(minutes=n):%Y-%m-%dT%H:%M:%SZ}") for n in range(10_000)]
    found, trouble = parsed(rss(*many[::order]))
    assert trouble == ""
    assert [each.title for each in found] == [f"The {n}" for n in range(9_999, 9_999 - MAX_ENTRIES, -1)]


def test_what_is_too_long_is_cut() -> None:
    long = "x" * 100_000
    fat = f"<guid>{long}</guid><title>{long}</title><link>https://example.org/{long}</link>"
    fat += f"<description>{long}</description>"
    tags = "".join(f"<category>{n} {long[:1000]}</category>" for n in range(100))
    (found,) = entries(rss(fat + tags))
    assert [len(each) for each in (found.id, found.link, found.title, found.summary)] == [2000, 2001, 1000, 4000]
    assert (len(found.tags), max(map(len, found.tags))) == (20, 60)


@pytest.mark.parametrize(
    "body",
    [b"", b"\0" * 1000, b"<html><body><h1>Nothing here</h1></body></html>", b"{}", b"\x89PNG\r\n" + bytes(range(256)),
     b"<p" * 1000, b"/etc/passwd", b"file:///etc/passwd", b"https://feeds.example.org/"],
)  # fmt: skip
def test_what_is_no_feed_is_called_so(body: bytes) -> None:
    answer = feedparsing.read(json.dumps({"url": URL, "media_type": ""}).encode() + b"\n" + body)
    assert answer == {"version": "", "entries": []}


def test_a_body_that_names_a_file_does_not_open_it(tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_bytes(rss(entry()))
    assert parsed(str(tmp_path / "feed.xml").encode()) == ([], "what is there is no feed")


def test_an_empty_feed_is_a_feed() -> None:
    assert parsed(rss()) == ([], "")


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
BOMBS = {
    "laughs": f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "ha">{LAUGHS}]>',
    "quadratic": f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l11 "{"ha" * 50_000}">]>',
    "a file": '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l11 SYSTEM "file:///etc/passwd">]>',
    "an address": '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l11 SYSTEM "http://127.0.0.1:9/">]>',
    "parameters": '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]>',
}


@pytest.mark.parametrize("kind", BOMBS)
def test_entities_neither_grow_nor_fetch(kind: str) -> None:
    body = rss(entry().replace("The one", "The one " + "&l11;" * 50), head=BOMBS[kind])
    found, _ = parse(Fetched(status=200, url=URL, media_type="text/xml", body=body), patience_s=2)
    assert all("root:" not in each.title and len(each.title) <= 1000 for each in found)


@pytest.mark.parametrize("unit", [b"<!--", b"<a>", b"<item>", b"&", b"<![CDATA[", b"<!DOCTYPE ["])
def test_what_is_made_to_be_slow_ends(unit: bytes) -> None:
    body = rss(entry())[:-16] + unit * (200_000 // len(unit))
    found, trouble = parse(Fetched(status=200, url=URL, media_type="text/xml", body=body), patience_s=1)
    assert found or trouble


def test_a_reader_that_does_not_end_is_killed() -> None:
    slow = rss(entry() + f"<author>{'a' * 400_000}</author>")  # what feedparser looks for an address in, quadratically
    started = time.monotonic()
    found = parse(Fetched(status=200, url=URL, media_type="text/xml", body=slow), patience_s=1)
    assert found == ([], "it could not be read within 1 seconds and its share of memory")
    assert time.monotonic() - started < 5


# The program that reads, and what it might be made to do


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that is run in its place."""
    path = tmp_path / "instead.py"
    monkeypatch.setattr(feeds, "_PROGRAM", path)
    return path


UNREADABLE = "it could not be read within 5 seconds and its share of memory"


@pytest.mark.parametrize(
    ("source", "trouble"),
    [
        ("while True: print('x' * 1_000_000)", UNREADABLE),
        ("import time; time.sleep(60)", "it could not be read within 0.5 seconds and its share of memory"),
        ("raise SystemExit(0)", "it could not be read"),
        ("raise SystemExit(3)", UNREADABLE),
        ("import os; os.kill(os.getpid(), 11)", UNREADABLE),
        ("x = []\nwhile True: x.append('x' * 10**9)", UNREADABLE),
        ("print('{')", "it could not be read"),
        ("print('[' * 100_000)", "it could not be read"),
        ("print('[]')", "it could not be read"),
        ("print('{\"entries\": {}}')", "it could not be read"),
        ("print('{\"entries\": [1, null, []]}')", "what is there is no feed"),
        ("import sys; sys.stdout.buffer.write(b'\\xff' * 100)", "it could not be read"),
    ],
)
def test_whatever_the_program_does_is_only_a_note(program: Path, source: str, trouble: str) -> None:
    bounded = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))\n"
    program.write_text(f"{bounded}import sys; sys.stdin.buffer.read()\n{source}")
    started = time.monotonic()
    patience_s = 0.5 if "sleep" in source else 5
    assert parse(Fetched(status=200, url=URL, body=b"x" * 2_000_000), patience_s=patience_s) == ([], trouble)
    assert time.monotonic() - started < 9


def test_a_program_that_talks_instead_of_listening_is_killed(program: Path) -> None:
    program.write_text("while True: print('x' * 1_000_000)")
    found = parse(Fetched(status=200, url=URL, body=b"x" * 2_000_000), patience_s=0.5)
    assert found == ([], "it could not be read within 0.5 seconds and its share of memory")


def test_nothing_of_what_the_program_says_is_believed(program: Path) -> None:
    said = {
        "entries": [
            {"id": 1, "link": ["x"], "title": None, "summary": {}, "published": "now", "tags": "abc", "more": 1},
            {"title": "\ud800", "published": 10**30, "first_seen": True, "tags": [1, "x" * 100, None]},
            {"title": "x" * 5000, "published": 1.5},
        ]
    }
    program.write_text(f"print({json.dumps(said)!r})")
    assert parse(Fetched(status=200, url=URL)) == (
        [Entry(), Entry(title="\ud800", tags=("x" * 60,)), Entry(title="x" * 1000)],
        "",
    )


def test_the_program_has_no_secrets_and_no_way_to_ours(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSLETTER_SMTP_PASSWORD", "hunter2")
    program.write_text(
        "import json, os, sys\n"
        "json.dump({'entries': [{'title': json.dumps([sorted(os.environ), sys.flags.isolated])}]}, sys.stdout)"
    )
    (found,), _ = parse(Fetched(status=200, url=URL))
    names, isolated = json.loads(found.title)
    assert not {"NEWSLETTER_SMTP_PASSWORD", "PATH", "HOME"} & {*names}
    assert isolated == 1


@pytest.mark.parametrize(
    ("deed", "kept"), [(f"bytearray({MEMORY_BYTES})", "MemoryError"), ("open('x', 'wb', 0).write(b'x')", "OSError")]
)
def test_the_program_keeps_its_bounds(tmp_path: Path, deed: str, kept: str) -> None:
    path = Path(feeds.__file__).with_name("feedparsing.py")
    source = f"import runpy; runpy.run_path({str(path)!r})['_bound'](); {deed}"
    command = [sys.executable, "-c", f"import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); {source}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert kept in done.stderr


# Fetched, and remembered


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with Stranger().serving() as here:
        yield here


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def ask(stranger: Stranger, workspace: Workspace, *, now: datetime = NOW, path: str = "/feed?key=hunter2") -> Gave:
    """What the feed gives, with the memory of the times before."""
    url = stranger.url + path
    memory = Memory(workspace, [url])
    gave = read_feed(url, fetcher=Fetcher(agent="newsletter", limits=LIMITS), memory=memory, now=now, loopback=True)
    memory.save()
    return gave


FEED = "/feed?key=hunter2"


def test_what_did_not_change_is_remembered_and_not_fetched_again(stranger: Stranger, workspace: Workspace) -> None:
    stranger.pages[FEED] = answer(rss(entry("old", date=""), entry()), ETag='"1"', Last_Modified="Fri")
    first = ask(stranger, workspace)
    stranger.pages[FEED] = answer(status=304)
    assert ask(stranger, workspace, now=NOW + timedelta(days=7)) == first
    assert ask(stranger, workspace, now=NOW + timedelta(days=8)) == first
    assert [(fields.get("if-none-match"), fields.get("if-modified-since")) for _, fields in stranger.asked] == [
        (None, None),
        ('"1"', "Fri"),
        ('"1"', "Fri"),
    ]
    assert first.base == f"{stranger.url}/feed"
    assert {each.first_seen for each in first.entries} == {NOW}


def test_what_was_seen_before_keeps_its_day(stranger: Stranger, workspace: Workspace) -> None:
    stranger.pages[FEED] = answer(rss(entry("old", date="")))
    ask(stranger, workspace)
    stranger.pages[FEED] = answer(rss(entry("new", date=""), entry("old", date="")))
    later = NOW + timedelta(days=7)
    seen = {each.title: each.first_seen for each in ask(stranger, workspace, now=later).entries}
    assert seen == {"The new": later, "The old": NOW}


def test_the_memory_is_its_owners_alone_and_git_does_not_see_it(stranger: Stranger, workspace: Workspace) -> None:
    stranger.pages[FEED] = answer(rss(entry()))
    ask(stranger, workspace)
    path = workspace.root / FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in path.read_text()
    subprocess.run(["git", "init", "-q", str(workspace.root)], check=True)
    status = ["git", "-C", str(workspace.root), "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(status, capture_output=True, check=True).stdout == b""


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "[" * 100_000, '{"version": 1, "feeds": []}', '{"version": 9, "feeds": {"KEY": {}}}',
     '{"version": 1, "feeds": {"KEY": 7}}', '{"version": 1, "feeds": {"KEY": {"etag": 7, "base": [], "entries": 1}}}',
     '{"version": 1, "feeds": {"KEY": {"wait_until": "soon", "entries": [7, {"title": 7}]}}}', b"\xff\xfe"],
)  # fmt: skip
def test_a_memory_that_is_none_is_an_empty_one(workspace: Workspace, content: str | bytes) -> None:
    Memory(workspace, []).save()
    content = content if isinstance(content, bytes) else content.replace("KEY", _key(URL)).encode()
    (workspace.root / FILE).write_bytes(content)
    found = Memory(workspace, [URL]).of(URL)
    assert (found.etag, found.base, found.wait_until) == ("", "", None)
    assert found.entries in ((), (Entry(),))


def test_a_feed_that_is_no_longer_named_is_forgotten(workspace: Workspace) -> None:
    memory = Memory(workspace, ["a", "b"])
    for url in ("a", "b"):
        memory.keep(url, Remembered(etag=url))
    memory.save()
    Memory(workspace, ["b"]).save()
    again = Memory(workspace, ["a", "b"])
    assert (again.of("a"), again.of("b")) == (Remembered(), Remembered(etag="b"))


def test_a_memory_that_cannot_be_written_says_so(workspace: Workspace) -> None:
    (workspace.root / ".newsletter").write_text("in the way")
    with pytest.raises(NewsletterError):
        Memory(workspace, []).save()


@pytest.mark.parametrize("status", [429, 503])
def test_who_asks_to_be_left_alone_is(stranger: Stranger, workspace: Workspace, status: int) -> None:
    stranger.pages[FEED] = answer(status=status, Retry_After="3600")
    until = "2026-11-23 13:00 UTC"
    words = f"it answers {status} and asks to be left alone until {until}"
    assert ask(stranger, workspace).trouble == words
    gave = ask(stranger, workspace, now=NOW + timedelta(minutes=59))
    assert gave.trouble == f"it asked to be left alone until {until}, and was not asked again"
    assert len(stranger.asked) == 1
    stranger.pages[FEED] = answer(rss(entry()))
    assert ask(stranger, workspace, now=NOW + timedelta(minutes=61)).trouble == ""


@pytest.mark.parametrize(
    ("page", "trouble"),
    [
        (answer(rss(entry()), status=500), "it answers 500"),
        (answer(rss(entry()), status=404), "it answers 404, so it is not there any more"),
        (answer(status=410), "it answers 410, so it is not there any more"),
        (answer(status=429), "it answers 429"),
        (answer(status=304), "it answers 304"),
        (answer(status=999), "it answers 999"),
        (answer(b"<html></html>"), "what is there is no feed"),
        (answer(rss(entry()), length=5000), "its answer was cut off"),
        (raw(b"HTTP/1.1 "), "the connection broke"),
        (raw(b"HTTP/1.1 200"), "what is there is no feed"),
        (answer(status=302, Location="http://169.254.169.254/"), "it leads to an address that is not public"),
        (answer(b"", length=100_000_000), "its answer is larger than 2 MB"),
    ],
)
def test_a_dead_feed_is_a_reason_in_words(stranger: Stranger, workspace: Workspace, page: Answer, trouble: str) -> None:
    stranger.pages[FEED] = page
    assert ask(stranger, workspace) == Gave(trouble=trouble)


def test_a_feed_that_dies_leaves_its_memory(stranger: Stranger, workspace: Workspace) -> None:
    stranger.pages[FEED] = answer(rss(entry()), ETag='"1"')
    first = ask(stranger, workspace)
    stranger.pages[FEED] = answer(status=500)
    ask(stranger, workspace)
    stranger.pages[FEED] = answer(status=304)
    assert ask(stranger, workspace) == first


def test_a_large_feed_costs_us_little(stranger: Stranger, workspace: Workspace) -> None:
    fat = f"<description>{'x' * 2_000}</description>"
    stranger.pages[FEED] = answer(rss(*(entry(str(n)) + fat for n in range(900))))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gave = ask(stranger, workspace)
    assert 400 < len(gave.entries) < MAX_ENTRIES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000
    assert (workspace.root / FILE).stat().st_size < 2_000_000
