"""The public pages before strangers: what browsers are told, what is refused and in which words, what is never said."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage
from werkzeug.test import Client

from newsletter.app.newsletter import Newsletter
from newsletter.audience.subscriber import State
from newsletter.errors import SettingsError
from newsletter.web.public import public_pages
from newsletter.web.public_crowd import Crowd
from tests.visitors import SITE, House, found, open_house


@pytest.fixture
def house(tmp_path: Path) -> House:
    return open_house(tmp_path / "letters")


def paths_of(house: House) -> dict[str, str]:
    """A page of each kind, as somebody finds it."""
    ada, bo = house.person(), house.person("bo@example.org", state=State.PENDING)
    own = house.own_page(ada)
    return {
        "form": "/",
        "subscribe": "/subscribe",
        "confirm": house.confirm_link(bo),
        "leave": f"/leave/{ada.leave_token}",
        "preferences": house.preferences_link(ada),
        "lost": "/lost",
        "me": own,
        "erase": f"{own}/erase",
        "nowhere": "/nowhere",
        "style": "/assets/pages.css",
        "robots": "/robots.txt",
        "health": "/health",
    }


# What browsers are told


def test_every_answer_is_sealed(house: House) -> None:
    for name, path in paths_of(house).items():
        for answer in (
            house.get(path),
            house.client.post(path, base_url=SITE),
            house.client.options(path, base_url=SITE),
        ):
            told = answer.headers
            policy = told["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; "), name
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert told["X-Content-Type-Options"] == "nosniff"
            assert told["Referrer-Policy"] == "no-referrer"
            assert told["Cross-Origin-Opener-Policy"] == told["Cross-Origin-Resource-Policy"] == "same-origin"
            assert told["Strict-Transport-Security"] == "max-age=31536000"
            assert "Set-Cookie" not in told
            assert "Location" not in told
            assert ("no-store" in told["Cache-Control"]) is (name != "style" or answer.status_code != 200), name
        public = name in {"form", "subscribe", "style", "robots", "health"}
        assert ("X-Robots-Tag" not in house.get(path).headers) is public, name


def test_a_page_brings_nothing_from_elsewhere_and_no_script_but_one(house: House) -> None:
    for path in paths_of(house).values():
        page = house.get(path).text
        fetched = re.findall(r'<(?:link|script|img)[^>]* (?:href|src)="([^"]+)"', page)
        assert {each.partition("/assets/")[0] for each in fetched} <= {""}
        assert not re.search(r"<script(?![^>]* src=)|\son\w+=|style=|javascript:", page)


def test_without_https_there_is_no_promise_of_it(tmp_path: Path) -> None:
    house = open_house(tmp_path / "letters", site="http://127.0.0.1:8000")
    answer = house.client.get("/", base_url="http://127.0.0.1:8000")
    assert answer.status_code == 200
    assert "Strict-Transport-Security" not in answer.headers


def test_the_themes_colours_go_over_ours(tmp_path: Path) -> None:
    newsletter = found(tmp_path / "letters")
    theme = tmp_path / "letters" / "templates" / "letter" / "theme.toml"
    theme.parent.mkdir(parents=True)
    theme.write_text(
        '[colours.light]\nviolet = "#123456"\nbad = "red; } body { x"\n[colours.dark]\nviolet = "#abcdef"\n'
    )
    sheet = Client(public_pages(newsletter)).get("/assets/colours.css", base_url=SITE).text
    assert "--violet: #123456;" in sheet
    assert "--violet: #abcdef;" in sheet.partition("dark")[2]
    assert "body" not in sheet
    theme.write_text("[colours.light")
    with pytest.raises(SettingsError):
        public_pages(newsletter)


# What is refused


@pytest.mark.parametrize(
    "host", ["evil.example", "letters.example.org.evil.example", "letters.example.org:8080", "", "[::1"]
)
def test_another_name_is_not_answered(house: House, host: str) -> None:
    ada = house.person()
    before = house.dump()
    for path in ("/", f"/leave/{ada.leave_token}", "/assets/pages.css"):
        for method in ("GET", "POST"):
            answer = house.client.open(path, method=method, base_url=SITE, headers={"Host": host})
            assert answer.status_code == 400
            assert "This was not understood" in answer.text
    assert house.dump() == before


def test_our_name_is_ours_however_it_is_written(house: House) -> None:
    for host in ("letters.example.org", "LETTERS.example.org:443"):
        assert house.client.get("/", base_url=SITE, headers={"Host": host}).status_code == 200


def test_health_is_told_to_whoever_asks(house: House) -> None:
    answer = house.client.get("/health", base_url="http://10.0.0.7:8000")
    assert (answer.status_code, answer.text) == (200, "ok\n")


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_no_other_method_does_anything(house: House, method: str) -> None:
    paths = paths_of(house)
    before = house.dump()
    for name, path in paths.items():
        answer = house.client.open(path, method=method, base_url=SITE)
        assert answer.status_code == (404 if name == "nowhere" else 405)
        assert name == "nowhere" or "GET" in answer.headers["Allow"]
    assert house.dump() == before


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "//",
        "//leave/x",
        "/leave",
        "/leave/",
        "/leave//x",
        "/leave/x/y",
        "/assets/preview.js",
        "/assets/../words.toml",
    ],
)
def test_what_is_not_there_says_what_to_do(house: House, path: str) -> None:
    answer = house.get(path)
    assert answer.status_code == 404
    assert 'href="/lost"' in answer.text


@pytest.mark.parametrize("path", ["/", "/lost", "/leave/undo"])
def test_too_much_is_refused_in_our_words(house: House, path: str) -> None:
    assert house.post(path, address="x" * 20_000).status_code == 413
    many = {f"f{number}": "x" for number in range(1200)}
    assert house.client.post(path, base_url=SITE, data=many, content_type="multipart/form-data").status_code == 413
    answer = house.post(path, address=FileStorage(BytesIO(b"x" * 20_000), "a.txt"))
    assert answer.status_code == 413
    assert "That is more than fits" in answer.text


def test_robots_are_told_what_is_personal(tmp_path: Path) -> None:
    house = open_house(tmp_path / "letters", site=f"{SITE}/monday")
    text = house.get("/monday/robots.txt").text
    for name in ("confirm", "leave", "preferences", "me"):
        assert f"Disallow: /monday/{name}/" in text.splitlines()


# Below a path of the site


def test_the_pages_are_below_the_path_of_the_site_and_nowhere_else(tmp_path: Path) -> None:
    house = open_house(tmp_path / "letters", site=f"{SITE}/monday")
    ada = house.person()
    page = house.get(f"/monday/leave/{ada.leave_token}")
    assert f'action="/monday/leave/{ada.leave_token}"' in page.text
    assert 'href="/monday/assets/pages.css"' in page.text
    assert house.get("/monday/assets/pages.css").status_code == 200
    assert house.get("/monday").status_code == house.get("/monday/").status_code == 200
    assert house.get("/health").status_code == 200
    for path in (f"/leave/{ada.leave_token}", "/", "/mondayleave/x", "/assets/pages.css"):
        answer = house.client.post(path, base_url=SITE)
        assert answer.status_code == 404
        assert 'href="/monday/lost"' in answer.text
    assert house.known().state is State.ACTIVE


# Servers in front


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where the pages think that those are who ask."""
    seen: list[str] = []
    monkeypatch.setattr(Crowd, "lets", lambda _, address, *, now_s: seen.append(address) or now_s > 0)
    return seen


def ask_from(house: House, forwarded: str) -> None:
    headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    answer = house.client.post("/lost", base_url=SITE, headers=headers, environ_overrides={"REMOTE_ADDR": "127.0.0.1"})
    assert answer.status_code == 400  # no address was typed
    assert "evil" not in answer.text


def test_nobody_is_believed_where_no_server_stands_in_front(house: House, places: list[str]) -> None:
    ask_from(house, "192.0.2.1")
    assert places == ["127.0.0.1"]


def test_as_many_servers_are_believed_as_stand_in_front(tmp_path: Path, places: list[str]) -> None:
    one = open_house(tmp_path / "one", more="[serve]\nproxies = 1\n")
    ask_from(one, "192.0.2.1")
    ask_from(one, "203.0.113.9, 192.0.2.1")
    ask_from(open_house(tmp_path / "two", more="[serve]\nproxies = 2\n"), "203.0.113.9, 192.0.2.1, 10.0.0.1")
    assert places == ["192.0.2.1"] * 3


# What is never said


def test_a_mistake_of_ours_is_told_without_its_reasons(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ada = house.person()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret of ada@example.org")

    monkeypatch.setattr("newsletter.store.consenting.SqlConsent.leave", fail)
    answer = house.post(f"/leave/{ada.leave_token}")
    assert answer.status_code == 500
    assert "We made a mistake" in answer.text
    assert "Traceback" not in answer.text
    assert [record.getMessage() for record in caplog.records] == [
        f"RuntimeError at test_visits_refused.py:{fail.__code__.co_firstlineno + 1}"
    ]
    assert caplog.records[0].exc_info is None
    assert answer.headers["Content-Security-Policy"]


def test_whoever_debugs_with_flask_gets_no_links_into_the_log_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    house = open_house(tmp_path / "debugged")
    ada = house.person()

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("newsletter.store.consenting.SqlConsent.leave", fail)
    assert house.post(f"/leave/{ada.leave_token}").status_code == 500  # and not raised to a server that logs the path


def test_a_database_that_is_gone_is_told_too(house: House, caplog: pytest.LogCaptureFixture) -> None:
    ada = house.person()
    house.newsletter.database.close()
    house.file.rename(house.file.with_suffix(".away"))
    house.file.mkdir()
    answer = house.post(f"/leave/{ada.leave_token}")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"
    assert "What you asked for was not done." in answer.text
    health = house.get("/health")
    assert (health.status_code, health.text) == (503, "the database does not answer\n")
    assert not [record for record in caplog.records if ada.leave_token in record.getMessage()]


def test_there_must_be_a_key_and_a_database_that_stays(tmp_path: Path) -> None:
    settings = found(tmp_path / "letters").settings
    with pytest.raises(SettingsError, match="cannot work on a database in Git"):
        public_pages(Newsletter(replace(settings, in_git=True)))
    with pytest.raises(SettingsError, match="no key to sign links"):
        public_pages(Newsletter(replace(settings, secret_keys=())))


# Whatever anybody sends

TEXTS = st.text(max_size=60) | st.sampled_from(
    ["List-Unsubscribe", "One-Click", "A" * 32, "../..", "\x00", "%00", "2026-12-24"]
)
NAMES = st.sampled_from(
    ["address", "first_name", "name", "interest", "zone", "language", "frequency", "paused_until", "word", "topic"]
)
BODIES = (
    st.binary(max_size=300)
    | st.lists(st.tuples(NAMES, TEXTS), max_size=8).map(
        lambda pairs: "&".join(f"{name}={quote(text, errors='replace')}" for name, text in pairs).encode()
    )
    | st.integers(16_000, 17_000).map(lambda size: b"address=" + b"x" * size)
)
KINDS = st.sampled_from(
    [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-16",
        "multipart/form-data",
        "multipart/form-data; boundary=x",
        "multipart/form-data; boundary=" + "y" * 200,
        "application/json",
        "text/plain; charset=\udce4".encode("utf-8", "surrogateescape").decode("latin-1"),
        "",
    ]
)


@pytest.fixture(scope="module")
def open_all_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[House, list[str]]:
    house = open_house(tmp_path_factory.mktemp("visits") / "letters")
    paths = paths_of(house)
    ada = house.known()
    return house, [*paths.values(), f"{paths['me']}/data", f"/leave/{ada.leave_token}/rest", "/leave/undo"]


@given(data=st.data())
@bounds(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_is_sent_makes_it_stumble(open_all_day: tuple[House, list[str]], data: st.DataObject) -> None:
    house, paths = open_all_day
    known = st.sampled_from(paths)
    raw = st.binary(min_size=1, max_size=40).map(lambda some: "/" + quote(some, safe="/"))
    mixed = st.tuples(known, st.binary(max_size=12)).map(lambda pair: pair[0] + quote(pair[1], safe="/"))
    path = data.draw(known | raw | mixed, label="path")
    if path.endswith("/erase"):
        path = path.removesuffix("erase")  # or there would be nobody left to ask for
    answer = house.client.open(
        path,
        method=data.draw(st.sampled_from(["GET", "HEAD", "POST", "POST", "POST", "PUT", "OPTIONS"]), label="method"),
        base_url=SITE,
        data=data.draw(BODIES, label="body"),
        headers={"Content-Type": data.draw(KINDS, label="kind")},
        query_string=data.draw(st.binary(max_size=20).map(quote), label="query"),
        environ_overrides={"REMOTE_ADDR": data.draw(st.ip_addresses().map(str) | TEXTS, label="place")},
    )
    assert answer.status_code in {200, 400, 404, 405, 413, 429}
    assert "Set-Cookie" not in answer.headers
    assert "Traceback" not in answer.text
    assert "example.org" not in answer.text.replace("letters.example.org", "").replace("•••@example.org", "") or (
        answer.mimetype == "application/json" or answer.status_code == 400
    )


def test_nothing_is_logged_of_who_asks_for_what(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for path in paths_of(house).values():
        house.get(path)
        house.post(path, address="ada@example.org")
    assert not [record.getMessage() for record in caplog.records if record.name.startswith(("newsletter", "werkzeug"))]
