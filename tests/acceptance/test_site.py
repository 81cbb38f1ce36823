"""The web version of letters as a person builds it, and letters that wait until it is there."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from newsletter.app.copies import copy_for
from newsletter.app.previewing import Previewing
from tests.acceptance.workplace import ISSUE, Workplace
from tests.cloud.smtp import Server
from tests.drawing import picture, saved

OTHER = "2026-11-30-the-quiet-half-of-the-room"
PAGE, OTHER_PAGE = f"letters/{ISSUE}/index.html", f"letters/{OTHER}/index.html"


@pytest.fixture
def founded(workplace: Workplace) -> Workplace:
    """A newsletter with one approved letter that shows a picture."""
    workplace.done("init", str(workplace.root))
    show(workplace, picture())
    workplace.done("approve", ISSUE)
    return workplace


def show(workplace: Workplace, data: bytes) -> None:
    """Let the letter show this picture."""
    folder = workplace.root / "issues" / ISSUE
    folder.mkdir(exist_ok=True)
    (folder / "ring.png").write_bytes(data)
    letter = workplace.root / "issues" / f"{ISSUE}.md"
    block = f'\n::: image {{src="{ISSUE}/ring.png" alt="A ring"}}\n:::\n'
    if block not in letter.read_text():
        letter.write_text(letter.read_text() + block)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_approved_letter_has_a_page_with_its_pictures_and_nothing_else(founded: Workplace) -> None:
    said = founded.done("site", "build", "--json").data
    built = files(founded.root / "site")
    (image,) = (name for name in built if name.startswith("images/"))
    assert sorted(built) == [image, PAGE]
    assert built[image] == picture()
    assert said["written"] == sorted(built)
    assert f"../../{image}" in built[PAGE].decode()
    assert b"Dear reader," in built[PAGE]


def test_twice_is_the_same_bytes_and_writes_nothing(founded: Workplace) -> None:
    founded.done("site", "build")
    first = files(founded.root / "site")
    again = founded.done("site", "build", "--json").data
    assert (again["written"], again["removed"], again["same"]) == ([], [], 2)
    assert files(founded.root / "site") == first


def test_what_is_published_is_what_was_approved_whatever_the_letter_says_today(founded: Workplace) -> None:
    letter = founded.root / "issues" / f"{ISSUE}.md"
    letter.write_text(letter.read_text().replace("Dear", "Hello", 1))
    founded.done("site", "build")
    assert b"Dear reader," in (founded.root / "site" / PAGE).read_bytes()
    founded.done("approve", ISSUE)
    founded.done("site", "build")
    assert b"Hello reader," in (founded.root / "site" / PAGE).read_bytes()


def test_a_page_goes_with_its_approval_and_what_others_wrote_stays(founded: Workplace) -> None:
    founded.done("approve", OTHER)
    founded.done("site", "build")
    site = founded.root / "site"
    theirs = {"index.html": b"mine", "letters/a-guest/index.html": b"mine", "images/logo.png": b"mine", "CNAME": b"x"}
    for name, content in theirs.items():
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_bytes(content)
    (founded.root / "issues" / f"{ISSUE}.approval.toml").unlink()
    said = founded.done("site", "build", "--json").data
    assert len(said["removed"]) == 2
    assert files(site).keys() == {*theirs, OTHER_PAGE}
    assert not (site / PAGE).parent.exists()


def test_pictures_of_an_earlier_revision_stay_for_those_who_were_mailed_it(founded: Workplace) -> None:
    founded.done("site", "build")
    show(founded, picture(width=500))
    founded.done("approve", ISSUE)
    said = founded.done("site", "build", "--json").data
    assert said["removed"] == []
    assert {picture(), picture(width=500)} <= {*files(founded.root / "site").values()}


def test_a_part_of_a_series_has_a_page_too(founded: Workplace) -> None:
    founded.done("approve", "welcome.pause")
    founded.done("site", "build")
    assert "letters/welcome.pause/index.html" in files(founded.root / "site")


def test_a_link_of_somebody_is_left_where_it_is(founded: Workplace, tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(b"mine")
    (founded.root / "site" / "images").mkdir(parents=True)
    (founded.root / "site" / "images" / "logo.png").symlink_to(tmp_path / "logo.png")
    founded.done("site", "build")
    founded.done("site", "build")
    assert (founded.root / "site" / "images" / "logo.png").is_symlink()


def test_a_page_that_somebody_changed_is_neither_replaced_nor_removed(founded: Workplace) -> None:
    founded.done("site", "build")
    page = founded.root / "site" / PAGE
    page.write_bytes(page.read_bytes() + b"<!-- mine -->")
    said = founded.run("site", "build")
    assert said.exit_code == 1
    assert f"site/{PAGE}: somebody else wrote or changed this file" in said.stderr
    (founded.root / "issues" / f"{ISSUE}.approval.toml").unlink()
    founded.done("site", "build")
    assert page.read_bytes().endswith(b"<!-- mine -->")


def test_a_folder_of_ones_own_choice(founded: Workplace, tmp_path: Path) -> None:
    founded.done("site", "build", "--out", str(tmp_path / "public"))
    assert PAGE in files(tmp_path / "public")
    assert not (founded.root / "site").exists()


def test_nothing_is_written_through_a_link(founded: Workplace, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (founded.root / "site").mkdir()
    (founded.root / "site" / "letters").symlink_to(elsewhere)
    assert "links are not followed" in founded.run("site", "build").stderr
    assert files(elsewhere) == {}


@pytest.mark.parametrize("change", ["replaced", "gone"])
def test_a_picture_that_is_not_the_approved_one_stops_it_before_anything_is_written(
    founded: Workplace, change: str
) -> None:
    file = founded.root / "issues" / ISSUE / "ring.png"
    file.write_bytes(picture(width=90)) if change == "replaced" else file.unlink()
    said = founded.run("site", "build")
    assert said.exit_code == 1
    assert f"issues/{ISSUE}/ring.png: " in said.stderr
    assert "restore it from Git" in said.stderr
    assert not (founded.root / "site").exists()


def test_a_forged_id_cannot_leave_the_folder(founded: Workplace) -> None:
    approval = founded.root / "issues" / f"{ISSUE}.approval.toml"
    approval.write_text(approval.read_text().replace(f'issue = "{ISSUE}"', 'issue = "../../../out"'))
    said = founded.run("site", "build")
    assert said.exit_code != 0
    assert "another letter" in said.stderr
    assert not (founded.root / "site").exists()


def test_without_an_approved_letter_there_is_nothing_to_publish(workplace: Workplace) -> None:
    workplace.done("init", str(workplace.root))
    assert "nothing to publish" in workplace.done("site", "build").stderr
    assert not (workplace.root / "site").exists()


def test_a_changed_picture_voids_the_approval(founded: Workplace) -> None:
    founded.done("db", "upgrade")
    show(founded, picture(width=500))
    said = founded.run("plan", ISSUE, "--yes")
    assert said.exit_code == 3
    assert f"changed since it was approved: issues/{ISSUE}/ring.png" in said.stderr
    assert "not what was approved" in founded.run("check", ISSUE).stdout


def test_a_picture_that_cannot_be_used_is_said_with_its_line(founded: Workplace, tmp_path: Path) -> None:
    letter = founded.root / "issues" / f"{ISSUE}.md"
    (tmp_path / "outside.png").write_bytes(picture())
    letter.write_text(letter.read_text().replace(f"{ISSUE}/ring.png", "../../outside.png"))
    said = founded.run("check", ISSUE)
    line = letter.read_text().split("\n").index('::: image {src="../../outside.png" alt="A ring"}') + 1
    assert said.exit_code == 3
    assert f"issues/{ISSUE}.md:{line}: error: the picture '../../outside.png' leads out" in said.stdout


def test_a_letter_may_be_a_folder_with_its_pictures_and_not_both(founded: Workplace) -> None:
    issues = founded.root / "issues"
    text = (issues / f"{ISSUE}.md").read_text().replace(f"{ISSUE}/ring.png", "ring.png")
    (issues / ISSUE / "index.md").write_text(text)
    assert "two files are this letter" in founded.run("check", ISSUE).stderr
    (issues / f"{ISSUE}.md").unlink()
    founded.done("approve", ISSUE)
    founded.done("site", "build")
    assert picture() in files(founded.root / "site").values()


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("inline", [False, True])
def test_a_picture_of_the_letter_shows_its_pictures_before_they_are_anywhere(
    founded: Workplace, tmp_path: Path, inline: bool
) -> None:
    red = Image.new("RGB", (300, 200), (255, 0, 0))
    show(founded, saved(red, "PNG"))
    if inline:
        settings = founded.root / "newsletter.toml"
        settings.write_text(settings.read_text() + "\n[images]\ninline = true\n")
    founded.done("render", ISSUE, "--png", str(tmp_path / "seen.png"))
    with Image.open(tmp_path / "seen.png") as seen:
        colours = {colour: count for count, colour in seen.convert("RGB").getcolors(1 << 24)}
    assert colours[255, 0, 0] > 50_000


def test_the_preview_shows_pictures_and_notices_when_one_comes_or_goes(founded: Workplace) -> None:
    file = founded.root / "issues" / ISSUE / "ring.png"
    with Previewing(founded.root) as desk:
        view = desk.view(ISSUE)

        def shows(data: bytes) -> bool:
            good = view.now().good
            assert good is not None
            html = copy_for(good, desk.reader(""), met=(), now=desk.clock()).html.decode()
            shown = [image for image in good.edition.images if image.address in html]
            return [good.pictures[image.file] for image in shown] == [data]

        assert shows(picture())
        file.unlink()
        assert any("is not there" in problem.what for problem in view.now().problems)
        file.write_bytes(picture(width=500))
        assert shows(picture(width=500))
        assert {problem.check for problem in view.now().problems} == {"approved"}  # it is another letter now


# Before a letter leaves


class Here:
    """A site on loopback that shows a folder."""

    def __init__(self, folder: Path) -> None:
        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    (tmp_path / "public").mkdir()
    site = Here(tmp_path / "public")
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


@pytest.fixture
def peer() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def sending(workplace: Workplace, here: Here, peer: Server) -> Workplace:
    """A letter with a picture, planned and due, that would leave by SMTP."""
    workplace.done("init", str(workplace.root))
    workplace.environment |= {"NEWSLETTER_NOW": None}
    settings = (workplace.root / "newsletter.toml").read_text().partition("[provider]")[0]
    settings = settings.replace('"https://letters.example.org"', f'"{here.url}"')
    provider = f'[provider]\nname = "smtp"\n\n[smtp]\nhost = "127.0.0.1"\nport = {peer.port}\nsecurity = "none"\n'
    (workplace.root / "newsletter.toml").write_text(settings + provider)
    show(workplace, picture())
    letter = workplace.root / "issues" / f"{ISSUE}.md"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    text = "\n".join(
        f"send: {today} 00:00 UTC" if line.startswith("send:") else line for line in letter.read_text().split("\n")
    )
    due = workplace.root / "issues" / f"{today}-due.md"
    due.write_text(text)
    letter.unlink()
    people = workplace.root / "subscribers" / "two.csv"
    people.write_text("email,first_name\none@example.org,One\ntwo@example.org,Two\n")
    workplace.done("db", "upgrade", now="")
    workplace.done("subscribers", "import", str(people), "--evidence", "invented for a test", now="")
    workplace.done("approve", due.stem, now="")
    workplace.done("plan", due.stem, "--yes", now="")
    workplace.now = ""
    return workplace


def due(workplace: Workplace) -> str:
    (found,) = (path.stem for path in (workplace.root / "issues").glob("*-due.md"))
    return found


@pytest.mark.parametrize("command", ["send", "tick"])
def test_a_letter_waits_until_its_page_is_there(
    sending: Workplace, here: Here, peer: Server, tmp_path: Path, command: str
) -> None:
    words = ("send", due(sending), "--yes") if command == "send" else ("tick",)
    said = sending.run(*words)
    assert said.exit_code == 1
    told = said.stderr + said.stdout
    assert f"not ready on the site: {here.url}/letters/{due(sending)}/ answers 404" in told
    assert "newsletter site build" in told
    assert peer.mails == []
    sending.done("site", "build", "--out", str(tmp_path / "public"))
    sending.done(*words)
    assert len(peer.mails) == 2


@pytest.mark.parametrize("change", ["another", "gone"])
def test_a_letter_waits_until_its_pictures_are_the_approved_ones(
    sending: Workplace, peer: Server, tmp_path: Path, change: str
) -> None:
    sending.done("site", "build", "--out", str(tmp_path / "public"))
    (image,) = (tmp_path / "public" / "images").iterdir()
    image.write_bytes(picture(width=90)) if change == "another" else image.unlink()
    said = sending.run("send", due(sending), "--yes")
    assert said.exit_code == 1
    assert ("is not the picture that was approved" if change == "another" else "answers 404") in said.stderr
    assert peer.mails == []


def test_who_does_not_want_it_is_not_asked(sending: Workplace, peer: Server) -> None:
    settings = sending.root / "newsletter.toml"
    settings.write_text(settings.read_text().replace("[site]\n", "[site]\ncheck = false\n"))
    sending.done("send", due(sending), "--yes")
    assert len(peer.mails) == 2


def test_pictures_inside_arrive_and_the_site_needs_only_the_page(
    sending: Workplace, peer: Server, tmp_path: Path
) -> None:
    settings = sending.root / "newsletter.toml"
    settings.write_text(settings.read_text() + "\n[images]\ninline = true\n")
    said = sending.run("send", due(sending), "--yes")  # the plan has the letter as it was approved
    assert "not ready on the site" in said.stderr
    sending.done("approve", due(sending))
    sending.done("correct", due(sending), "--why", "pictures inside")
    sending.done("site", "build", "--out", str(tmp_path / "public"))
    sending.done("send", due(sending), "--yes")
    message = peer.mails[0].parsed
    parts = {part.get_content_type(): part for part in message.walk()}
    assert parts["image/png"].get_content() == picture()
    assert f"cid:{parts['image/png']['content-id'].strip('<>')}" in parts["text/html"].get_content()


def test_a_provider_that_takes_only_html_refuses_pictures_inside_at_every_step(founded: Workplace) -> None:
    settings = founded.root / "newsletter.toml"
    inside = settings.read_text() + "\n[images]\ninline = true\n"
    settings.write_text(inside)
    founded.done("db", "upgrade")
    founded.done("approve", ISSUE)
    settings.write_text(inside.replace('name = "outbox"', 'name = "resend"'))
    founded.environment |= {"NEWSLETTER_NOW": None, "NEWSLETTER_RESEND_API_KEY": "re_made_up_for_a_test"}
    for words in (("check", ISSUE), ("approve", ISSUE), ("plan", ISSUE, "--yes")):
        said = founded.run(*words, now="")
        assert said.exit_code == 3, words
        assert "travel inside the message" in said.stdout + said.stderr, words
