"""The preview over real HTTP: what it shows, what it refuses, and that it changes nothing."""

from __future__ import annotations

import hashlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests import drawing
from tests.acceptance.workplace import ISSUE, Workplace
from tests.leaks import leaks_in
from tests.preview import Answer, Preview

OWN = "issues/2026-11-23-renew-your-goals.md"
EDITOR = '\n[preview]\neditor = "vscode://file/{path}:{line}"\n'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A newsletter with a list, for tests that leave it as it was."""
    workplace = Workplace(tmp_path_factory.mktemp("preview") / "letters").ready()
    settings = workplace.root / "newsletter.toml"
    settings.write_text(settings.read_text() + EDITOR)
    (workplace.root / "issues" / f"{ISSUE}.approval.toml").unlink()  # or every change would be a problem
    return workplace


@pytest.fixture(scope="module")
def preview(place: Workplace) -> Iterator[Preview]:
    with Preview(place.root, ISSUE) as running:
        yield running


class Edited:
    """A file that is changed for a while."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = path.read_bytes()

    def replace(self, old: str, new: str) -> None:
        text = self.before.decode()
        assert old in text
        self.path.write_text(text.replace(old, new, 1))

    def restore(self) -> None:
        self.path.write_bytes(self.before)


@pytest.fixture
def letter(place: Workplace) -> Iterator[Edited]:
    edited = Edited(place.root / OWN)
    yield edited
    edited.restore()


def refusals(answer: Answer) -> int:
    assert "renew" not in answer.body.lower()
    return answer.status


# What is seen


def test_a_save_is_told_to_whoever_waits(preview: Preview, letter: Edited) -> None:
    before = preview.now(ISSUE)
    assert "Saved just now" not in before["copy"]["html"]
    told: list[dict[str, object]] = []
    waiting = Thread(target=lambda: told.append(preview.now(ISSUE, after=before["number"])))
    waiting.start()
    time.sleep(0.2)
    assert not told
    letter.replace("The page headed January", "Saved just now")
    waiting.join(timeout=15)
    assert told
    assert told[0]["number"] > before["number"]
    assert "Saved just now" in told[0]["copy"]["html"]
    assert "Saved just now" in told[0]["copy"]["text"]
    assert told[0]["texts"][OWN] == letter.path.read_text()


def test_pages_that_hang_up_keep_nobody_waiting(preview: Preview) -> None:
    number = preview.now(ISSUE)["number"]
    hung_up = [socket.create_connection(("127.0.0.1", preview.port)) for _ in range(30)]
    for each in hung_up:
        path = f"{preview.home}letters/{ISSUE}/now?after={number}"
        each.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{preview.port}\r\n\r\n".encode())
    time.sleep(0.5)
    for each in hung_up:
        each.close()
    start = time.monotonic()
    assert preview.now(ISSUE)["number"] == number
    assert time.monotonic() - start < 10


def test_a_save_that_moves_a_new_file_into_place_is_seen(preview: Preview, letter: Edited) -> None:
    number = preview.now(ISSUE)["number"]
    stat = letter.path.stat()
    aside = letter.path.with_suffix(".aside")
    aside.write_bytes(letter.before.replace(b"January", b"Februar"))
    aside.replace(letter.path)
    assert letter.path.stat().st_size == stat.st_size
    assert "Februar" in preview.now(ISSUE, after=number)["copy"]["html"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("templates/letter/base.css", "font-size: 36px", "font-size: 37px"),
        ("templates/letter/client.css", "32px 22px 28px", "37px 22px 28px"),
        ("newsletter.toml", "one reflection, one action", "37px and one action"),
        ("subscribers/segments.toml", 'workplace = { tags = "workplace" }', 'other = { tags = "workplace" }'),
    ],
)
def test_every_file_that_a_letter_is_made_from_is_watched(
    preview: Preview, place: Workplace, name: str, old: str, new: str
) -> None:
    before = preview.now(ISSUE)
    edited = Edited(place.root / name)
    try:
        edited.replace(old, new)
        told = preview.now(ISSUE, after=before["number"])
        assert told["number"] > before["number"]
        assert "37px" in told["copy"]["html"] or "no segment 'workplace'" in told["problems"][0]["what"]
    finally:
        edited.restore()


@pytest.mark.parametrize(
    ("reader", "shown"),
    [
        ("usual", "Dear Ada,"),
        ("nobody", "Dear reader,"),
        ("long", "Dear Wilhelmina-Alexandrina Featherstonehaugh,"),
        ("rtl", "Dear נועה,"),
        ("no-such-key", "Dear Ada,"),
    ],
)
def test_the_worst_names_are_readers_to_choose(preview: Preview, reader: str, shown: str) -> None:
    copy = preview.now(ISSUE, reader=reader)["copy"]
    assert shown in copy["html"]
    assert shown in copy["text"]


def test_every_variant_can_be_seen(preview: Preview) -> None:
    without = preview.now(ISSUE)["copy"]
    met = preview.now(ISSUE, met=["segment:workplace", "segment:forgotten"])["copy"]
    assert "Promises on the wall" not in without["html"]
    assert "Promises on the wall" in met["html"]
    assert [without["conditions"], met["conditions"]] == [
        [{"name": "segment:workplace", "met": False}],
        [{"name": "segment:workplace", "met": True}],
    ]


def test_the_letter_is_shown_in_either_light(preview: Preview) -> None:
    dark = preview.now(ISSUE, light="dark")["copy"]["html"]
    light = preview.now(ISSUE, light="light")["copy"]["html"]
    assert "prefers-color-scheme" not in dark + light
    assert dark != light


def test_the_inbox_line_and_the_raw_message_are_told(preview: Preview) -> None:
    copy = preview.now(ISSUE)["copy"]
    assert copy["subject"] == "Ada, what will you renew this week?"
    assert copy["preheader"].startswith("Five small moves")
    assert copy["message"].startswith("Date: Fri, 20 Nov 2026 09:00:00 +0000\r\nFrom: The Monday Letter <letter@")


def test_a_series_and_all_letters_newest_first_are_there_to_choose(preview: Preview) -> None:
    page = preview.ask("").body
    names = ("2026-11-30-the-quiet", ISSUE, "First, pause", "Then, look at yourself", "Now, act")
    places = [page.index(name) for name in names]
    assert places == sorted(places)
    assert preview.now("welcome.pause")["copy"]["subject"]
    assert preview.ask("letters/2020-01-01-nothing").status == 404


# What is wrong


def test_problems_come_with_their_lines_and_a_way_to_the_editor(
    preview: Preview, place: Workplace, letter: Edited
) -> None:
    letter.replace(
        "preheader: Five small moves from meaning well to doing well, and one promise", "preheader: A promise"
    )
    problem = preview.now(ISSUE)["problems"][0]
    assert (problem["level"], problem["line"], problem["path"]) == ("warning", 4, OWN)
    assert "preheader" in problem["check"]
    assert problem["editor"] == f"vscode://file/{place.root / OWN}:4"
    letter.replace("::: steps", "::: stpes")
    problem = preview.now(ISSUE)["problems"][0]
    assert (problem["level"], problem["line"]) == ("error", 25)
    assert (problem["what"], problem["hint"]) == ("no block kind 'stpes'", "did you mean 'steps'?")


@pytest.mark.parametrize(
    ("name", "old", "new", "place_and_words"),
    [
        (OWN, "::: steps", "::: stpes", (25, "no block kind")),
        (OWN, "title: Renew", "title: [Renew", (3, "not YAML")),
        ("newsletter.toml", "[sender]", "[sender", (12, "at line 12")),
        ("newsletter.toml", 'time = "08:00"', 'time = "late"', (24, "[schedule] time: 'late' is not a time")),
        ("newsletter.toml", "list_id", "list_name", (12, "[sender]: unknown key 'list_name'")),
        ("subscribers/segments.toml", 'tags = "', 'tag = "', (5, "there is no 'tag'")),
        ("templates/letter/page.html.j2", "<body", "{{ nothing.at.all }}<body", (29, "the template fails")),
        ("templates/letter/page.html.j2", "<body", "{% endif %}<body", (29, "the template fails")),
        ("templates/letter/base.css", "body { margin", "@import 'x';\nbody { margin", (4, "will not survive")),
    ],
)
def test_a_broken_file_leaves_the_last_good_letter_and_says_where(
    preview: Preview, place: Workplace, *, name: str, old: str, new: str, place_and_words: tuple[int, str]
) -> None:
    line, what = place_and_words
    good = preview.now(ISSUE)
    assert good["fresh"]
    edited = Edited(place.root / name)
    try:
        edited.replace(old, new)
        broken = preview.now(ISSUE, after=good["number"])
        assert broken["copy"]["html"] == good["copy"]["html"]
        assert not broken["fresh"]
        assert broken["since"] == good["since"]
        problem = next(each for each in broken["problems"] if what in each["what"])
        assert (problem["level"], problem["path"], problem["line"]) == ("error", name, line)
        assert broken["texts"][name] == edited.path.read_text()
    finally:
        edited.restore()
    assert preview.now(ISSUE, after=broken["number"])["fresh"]


def test_a_letter_that_is_gone_or_no_text_is_said_and_comes_back(preview: Preview, letter: Edited) -> None:
    number = preview.now(ISSUE)["number"]
    letter.path.unlink()
    told = preview.now(ISSUE, after=number)
    assert "no letter" in told["problems"][0]["what"]
    letter.path.write_bytes(b"---\n\xff\n")
    told = preview.now(ISSUE, after=told["number"])
    assert (told["problems"][0]["what"], told["problems"][0]["line"]) == ("the file is not UTF-8", 2)
    letter.restore()
    assert preview.now(ISSUE, after=told["number"])["fresh"]


def test_a_picture_that_comes_to_lie_beside_the_letter_is_seen(
    preview: Preview, place: Workplace, letter: Edited
) -> None:
    letter.replace("::: steps", '::: image {src="chair.png" alt="A chair"}\n:::\n\n::: steps')
    told = preview.now(ISSUE)
    assert not told["fresh"]
    picture = place.root / "issues" / "chair.png"
    try:
        picture.write_bytes(drawing.picture(width=1160, height=400))
        told = preview.now(ISSUE, after=told["number"])
        assert told["fresh"]
        tag = next(each for each in re.findall(r"<img[^>]*>", told["copy"]["html"]) if 'alt="A chair"' in each)
        address = tag.partition('src="')[2].partition('"')[0]
        assert address.startswith(preview.home)
        shown = preview.ask(address)
        assert (shown.status, shown.headers["Content-Type"]) == (200, "image/png")
        assert preview.ask(address[:-1] + "x").status == 404
        assert "https://letters.example.org/images/" in told["copy"]["message"].replace("=\r\n", "")
    finally:
        picture.unlink(missing_ok=True)


def test_an_approved_letter_that_is_changed_is_seen_and_said_to_be_another(
    preview: Preview, place: Workplace, letter: Edited
) -> None:
    number = preview.now(ISSUE)["number"]
    place.done("approve", ISSUE)
    told = preview.now(ISSUE, after=number)  # the approval is watched from the moment on that it is there
    assert told["number"] > number
    letter.replace("January", "February")
    told = preview.now(ISSUE)
    assert told["fresh"]
    assert "not what was approved as revision 1" in told["problems"][0]["what"]
    (place.root / "issues" / f"{ISSUE}.approval.toml").unlink()
    assert preview.now(ISSUE)["problems"] == []


# Readers of the list


def search(preview: Preview, words: str) -> Answer:
    return preview.ask("people", headers={"X-Words": words})


def test_a_reader_is_found_by_name_and_shown_without_their_address(preview: Preview) -> None:
    answer = search(preview, "ada")
    assert leaks_in(str(answer.data)) == []
    person = next(each for each in answer.data["found"] if each["label"] == "Ada Example")
    assert person["note"] == "a•••@example.org"
    told = preview.ask(f"letters/{ISSUE}/now?reader={person['key']}")
    assert "Dear Ada," in told.data["copy"]["html"]
    assert "To: Ada Example <a...@example.org>" in told.data["copy"]["message"]
    assert "ada@" not in told.body


def test_a_reader_of_the_list_sees_the_blocks_that_are_for_them(preview: Preview) -> None:
    key = search(preview, "Zo%C3%AB").data["found"][0]["key"]
    copy = preview.now(ISSUE, reader=key, met=[])["copy"]
    assert copy["conditions"] == [{"name": "segment:workplace", "met": True}]
    assert "Promises on the wall" in copy["html"]


def test_a_link_that_belongs_to_a_reader_is_only_an_example(preview: Preview) -> None:
    key = search(preview, "ada").data["found"][0]["key"]
    html = preview.now(ISSUE, reader=key)["copy"]["html"]
    assert "/leave/example" in html


def test_an_address_is_searched_for_and_nobody_who_left_is_found(preview: Preview) -> None:
    assert search(preview, "zoe%40exam").data["found"][0]["label"] == "Zoë Example"
    assert search(preview, "nobody-is-called-so").data == {"found": [], "whyNot": ""}
    assert search(preview, "").data["found"] == []
    everybody = {each["note"] for each in search(preview, "e").data["found"]}
    assert len(everybody) > 5


# What is refused


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "letters.example.org"},
        {"Host": "evil.example.org:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1:{port}.example.org"},
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_a_foreign_page_is_refused(preview: Preview, headers: dict[str, str]) -> None:
    headers = {name: value.format(port=preview.port) for name, value in headers.items()}
    for path in ("", f"letters/{ISSUE}", f"letters/{ISSUE}/now", "people", "frame", "static/preview.js"):
        assert refusals(preview.ask(path, headers=headers)) == 403


def test_our_own_page_is_not_refused(preview: Preview) -> None:
    for host in (f"127.0.0.1:{preview.port}", f"localhost:{preview.port}"):
        own = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
        assert preview.ask(f"letters/{ISSUE}/now", headers=own).status == 200


def test_a_link_that_a_person_follows_leads_here(preview: Preview) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert preview.ask(f"letters/{ISSUE}", headers=followed).status == 200
    framed = {**followed, "Sec-Fetch-Dest": "iframe"}
    assert preview.ask(f"letters/{ISSUE}", headers=framed).status == 403


def test_without_the_word_there_is_nothing(preview: Preview) -> None:
    word = preview.home.strip("/")
    assert len(word) >= 22
    for path in ("/", "/letters", f"/{word[:-1]}/", f"/{word}x/", "/static/preview.js", "//", f"/{word.swapcase()}/"):
        assert refusals(preview.ask(path)) == 404
    assert preview.ask(f"/{word}/").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_nothing_but_looking_is_possible(preview: Preview, method: str) -> None:
    for path in ("", f"letters/{ISSUE}", f"letters/{ISSUE}/now", "people"):
        assert refusals(preview.ask(path, method=method)) == 405


@pytest.mark.parametrize(
    "path", ["static/../preview.py", "static/%2e%2e/preview.py", "letters/..%2f..%2fnewsletter.toml"]
)
def test_no_other_file_is_shown(preview: Preview, path: str) -> None:
    assert preview.ask(path).status == 404


def test_only_this_machines_own_address_is_listened_at(preview: Preview) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", preview.port), timeout=5)


def test_browsers_are_told_to_be_strict(preview: Preview) -> None:
    for path in ("", f"letters/{ISSUE}", f"letters/{ISSUE}/now", "people", "static/preview.js", "nothing"):
        headers = preview.ask(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
    frame = preview.ask("frame").headers["Content-Security-Policy"]
    assert "script" not in frame
    assert "sandbox allow-same-origin" in frame
    sandboxes = [part.split('"')[0] for part in preview.ask(f"letters/{ISSUE}").body.split('sandbox="')[1:]]
    assert len(sandboxes) == 2
    assert not any("scripts" in each or "forms" in each for each in sandboxes)


# Beginning and ending


def files(root: Path) -> dict[str, str]:
    """Every file and what is in it; not the two that SQLite keeps beside a database while anybody reads it."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


def test_it_changes_nothing_and_ends_with_one_line_while_a_page_waits(place: Workplace) -> None:
    before = files(place.root)
    with Preview(place.root, OWN) as preview:
        assert preview.url.endswith(f"/letters/{ISSUE}")
        told = preview.now(ISSUE)
        assert search(preview, "ada").data["found"]
        answers: list[object] = []
        waiting = Thread(target=lambda: answers.append(preview.now(ISSUE, after=told["number"])))
        waiting.start()
        time.sleep(0.3)
        start = time.monotonic()
        code, said = preview.end()
        assert time.monotonic() - start < 5
        waiting.join(timeout=5)
    assert code == 0
    assert said.splitlines()[1:] == ["Ended; the address is good for nothing any more."]
    assert len(answers) == 1
    assert files(place.root) == before


def test_a_port_that_is_taken_is_said(place: Workplace) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with Preview(place.root, "--port", str(taken.getsockname()[1])) as preview:
            code, said = preview.end()
    assert (code, preview.url) == (1, "")
    assert "cannot be listened at" in said


def test_a_letter_that_is_not_there_is_said_at_once(place: Workplace) -> None:
    said = place.run("preview", "2026-01-05-nothing")
    assert said.exit_code == 1
    assert "no letter" in said.stderr


def test_without_a_list_a_letter_is_seen_all_the_same(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    with Preview(workplace.root) as preview:
        assert preview.url.endswith(preview.home)
        assert preview.now(ISSUE)["fresh"]
        assert search(preview, "ada").data == {
            "found": [],
            "whyNot": "there is no list yet; make it: newsletter db upgrade",
        }


def test_a_list_that_cannot_be_read_is_a_warning(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    (workplace.root / "subscribers" / "newsletter.db").write_bytes(b"no database at all" * 100)
    letter = workplace.root / OWN
    text, count = re.subn(r"first_name \| default\(.*?\)", "first_name", letter.read_text(), count=2)
    assert count == 2  # so that it is asked whether anybody lacks one
    letter.write_text(text)
    with Preview(workplace.root) as preview:
        told = preview.now(ISSUE)
        assert told["fresh"]
        assert [each["level"] for each in told["problems"]] == ["warning"]
        assert "the list cannot be asked" in told["problems"][0]["what"]
        assert search(preview, "ada").data["whyNot"]
