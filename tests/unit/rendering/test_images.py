"""Pictures beside a letter: their sizes, their addresses, what is wrong with them, and pictures inside messages."""

from __future__ import annotations

import email
import re
from collections.abc import Mapping
from dataclasses import replace
from email import policy
from hashlib import sha256

import pytest

from newsletter.content.issue import Level
from newsletter.rendering.checks.pictures import CHECKS
from newsletter.rendering.edition import Edition, Image, read_edition
from newsletter.rendering.images import Picture, Unreadable
from newsletter.usecases.build import Built, build, finished, nothing_there
from tests.unit.letters import FIRST_BODY_LINE, ISSUE_ID, desk, letter

DATA = b"as good as a picture"
NAME = sha256(DATA).hexdigest()[:16]
ADDRESS = f"https://letters.example.org/images/{NAME}.png"
CHAIR = Picture(file="issues/chair.png", data=DATA, kind="png", width=800, height=400)
BLOCK = '::: image {{src="chair.png" alt="A chair"{}}}\n:::\n'
MARKDOWN = "::: text\nA line.\n\n![A chair](chair.png)\n:::\n"


def built(
    body: str, pictures: Mapping[str, Picture] | None = None, *, inline: bool = False, carries: bool = True
) -> Built:
    known = {"chair.png": CHAIR} if pictures is None else pictures
    at = replace(
        desk(), picture_of=lambda name: known.get(name, nothing_there(name)), inline=inline, carries_inline=carries
    )
    return build(letter(body), path="issues/a.md", issue_id=ISSUE_ID, desk=at)


def edition_of(body: str, **options: object) -> Edition:
    return finished(built(body, **options))[0]  # type: ignore[arg-type]


def images_of(html: str) -> list[dict[str, str]]:
    return [
        {name: value[1:-1] for name, value in re.findall(r"""([\w-]+)=("[^"]*"|'[^']*')""", tag)}
        for tag in re.findall(r"<img[^>]*>", html)
    ]


def found(body: str, pictures: Mapping[str, Picture] | None = None) -> list[tuple[str, str, int]]:
    """Check, level and line of all that is said about the pictures."""
    return [
        (each.check, each.level.value, each.at.line)
        for each in built(body, pictures).problems
        if each.check.startswith("image-")
    ]


def wide(width: int, height: int) -> dict[str, Picture]:
    return {"chair.png": replace(CHAIR, width=width, height=height)}


def weighing(weight: int) -> dict[str, Picture]:
    return {"chair.png": replace(CHAIR, data=bytes(weight))}


@pytest.mark.parametrize("body", [BLOCK.format(""), MARKDOWN])
def test_a_picture_has_the_size_its_file_says_and_an_address_of_its_content(body: str) -> None:
    edition = edition_of(body)
    (image,) = images_of(edition.variants[0].html)
    assert (image["src"], image["alt"], image["width"], image["height"]) == (ADDRESS, "A chair", "580", "290")
    assert "max-width:580px" in image["style"].replace(" ", "")
    assert "[A chair]" in edition.variants[0].text
    assert edition.images == (
        Image(file="issues/chair.png", digest=sha256(DATA).hexdigest(), kind="png", address=ADDRESS),
    )
    assert read_edition(edition.to_bytes()) == edition


@pytest.mark.parametrize(
    ("stated", "width", "height"),
    [
        (' width="400"', "400", "200"),
        (' height="100"', "200", "100"),
        (' width="400" height="200"', "400", "200"),
        (' width="800" height="400"', "580", "290"),  # as large as the file, which is wider than the text
    ],
)
def test_a_stated_size_is_kept_and_completed(stated: str, width: str, height: str) -> None:
    (image,) = images_of(edition_of(BLOCK.format(stated)).variants[0].html)
    assert (image["width"], image["height"]) == (width, height)


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        (' width="900"', "width=900, but issues/chair.png has 800 by 400 pixels"),
        (' height="500"', "width=1000, but issues/chair.png has 800 by 400 pixels"),
        (' width="400" height="300"', "would distort"),
    ],
)
def test_a_wrong_stated_size_is_an_error_with_its_line(stated: str, words: str) -> None:
    (problem,) = built(BLOCK.format(stated)).errors
    assert (problem.check, problem.at.line) == ("image-size", FIRST_BODY_LINE)
    assert words in problem.what


def test_a_picture_in_a_list_or_a_quotation_is_found_too() -> None:
    body = "::: points\nText.\n- One ![A chair](chair.png)\n\n> ![Another](chair.png)\n:::\n"
    html = edition_of(body).variants[0].html
    assert [image["src"] for image in images_of(html)] == [ADDRESS, ADDRESS]


def test_names_with_blanks_and_umlauts_are_meant_as_written() -> None:
    pictures = {"ein Stühl.png": CHAIR}
    (image,) = images_of(
        edition_of("::: text\n![Ein Stuhl](<ein Stühl.png>)\n:::\n", pictures=pictures).variants[0].html
    )
    assert image["src"] == ADDRESS


def test_words_of_a_picture_may_be_personal_and_its_name_may_not() -> None:
    body = "::: text\n![For {{ first_name | default('you') }}](chair.png)\n:::\n"
    assert images_of(edition_of(body).variants[0].html)[0]["src"] == ADDRESS
    for bad in ("![x]({{ first_name | d('a') }}.png)", "![x](a/{{ first_name | d('a') }}.png)"):
        (problem,) = built(f"::: text\n{bad}\n:::\n").errors
        assert "no width" in problem.what


@pytest.mark.parametrize(("body", "line"), [(BLOCK.format(""), 0), (MARKDOWN, 3)])
def test_a_picture_that_cannot_be_used_is_an_error_with_its_line(body: str, line: int) -> None:
    (problem,) = built(body, pictures={}).errors
    assert (problem.check, problem.at.line) == ("image-file", FIRST_BODY_LINE + line)
    assert "'chair.png' is not there" in problem.what
    assert problem.hint


def test_without_a_file_a_picture_still_needs_its_width() -> None:
    (problem,) = built('::: image {src="https://example.org/a.png" alt="x"}\n:::\n').errors
    assert "needs a width" in problem.what
    (problem,) = built("::: text\n![x](https://example.org/a.png)\n:::\n").errors
    assert "no width" in problem.what
    (problem,) = built('::: image {src="http://example.org/a.png" alt="x" width="40"}\n:::\n').errors
    assert "no full https:// address" in problem.what


def test_a_picture_without_words_is_an_error() -> None:
    (problem,) = built("::: text\n![](chair.png)\n:::\n").errors
    assert (problem.check, problem.at.line) == ("image-alt", FIRST_BODY_LINE + 1)


def test_heavy_pictures_are_warned_of_and_too_heavy_ones_refused() -> None:
    assert found(MARKDOWN, weighing(200_000)) == []
    assert found(MARKDOWN, weighing(200_001)) == [("image-heavy", "warning", FIRST_BODY_LINE + 3)]
    assert ("image-weight", "error", FIRST_BODY_LINE + 3) in found(MARKDOWN, weighing(1_000_001))


def test_a_letter_of_many_pictures_is_weighed_as_a_whole() -> None:
    names = [f"{number}.png" for number in range(5)]
    body = "::: text\n" + "\n".join(f"![Chair {name}]({name})\n" for name in names) + ":::\n"
    light = {name: replace(CHAIR, data=bytes([number]) * 160_000) for number, name in enumerate(names)}
    assert found(body, light) == []
    more = {name: replace(each, data=each.data + b"x") for name, each in light.items()}
    assert found(body, more) == [("image-heavy", "warning", 2)]
    same = dict.fromkeys(names, replace(CHAIR, data=bytes(190_000)))
    assert found(body, same) == []  # readers fetch the same picture once


@pytest.mark.parametrize(("width", "said"), [(1160, False), (1161, True)])
def test_pixels_that_nobody_sees_are_noted(width: int, said: bool) -> None:
    assert bool(found(MARKDOWN, wide(width, 600))) is said
    assert bool(found(BLOCK.format(' width="580"'), wide(width, 600))) is said


def test_what_a_camera_wrote_and_what_moves_is_said() -> None:
    for change, check, level in (
        ({"animated": True}, "image-moves", Level.NOTE),
        ({"turned": True}, "image-turned", Level.WARNING),
        ({"located": True}, "image-place", Level.WARNING),
    ):
        assert found(MARKDOWN, {"chair.png": replace(CHAIR, **change)}) == [(check, level.value, FIRST_BODY_LINE + 3)]  # type: ignore[arg-type]


def test_every_check_of_pictures_is_seen_to_fire_here() -> None:
    everything = replace(CHAIR, width=2000, height=1000, animated=True, turned=True, located=True)
    seen = {
        check
        for weight in (300_000, 1_100_000)
        for check, _, _ in found(MARKDOWN, {"chair.png": replace(everything, data=bytes(weight))})
    }
    assert seen == {each.id for each in CHECKS}


def test_another_picture_is_another_edition() -> None:
    other = {"chair.png": replace(CHAIR, data=DATA + b".")}
    assert edition_of(MARKDOWN).hash != edition_of(MARKDOWN, pictures=other).hash
    assert DATA not in edition_of(MARKDOWN).to_bytes()


def test_the_same_words_with_another_picture_show_the_other() -> None:
    other = {"chair.png": replace(CHAIR, data=DATA + b".", kind="gif")}
    first, second, third = (edition_of(MARKDOWN, pictures=each) for each in (None, other, None))
    assert images_of(second.variants[0].html)[0]["src"] == second.images[0].address
    assert second.images[0].address.endswith(".gif")
    assert first == third


def test_an_edition_without_pictures_says_nothing_of_them() -> None:
    """So that editions from before there were pictures keep their hashes."""
    assert b'"images"' not in edition_of("::: text\nx\n:::\n").to_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../../etc/passwd"},
        {"file": "/etc/passwd"},
        {"digest": "../x"},
        {"digest": "A" * 64},
        {"kind": "html"},
        {"kind": "png/../../x"},
    ],
)
def test_an_edition_cannot_name_a_picture_elsewhere(change: dict[str, str]) -> None:
    body = edition_of(MARKDOWN).to_bytes().decode()
    ((key, value),) = change.items()
    forged = re.sub(rf'"{key}": "[^"]*"', f'"{key}": "{value}"', body, count=1)
    assert forged != body
    with pytest.raises(ValueError, match="no proper name"):
        read_edition(forged.encode())


# Inside the message


def message_of(body: str, **options: object) -> bytes:
    edition, cut = finished(built(body, inline=True, **options))  # type: ignore[arg-type]
    assert edition.images[0].address == f"cid:{NAME}@letters.example.org"
    pieces = cut.variants[-1].mime
    return pieces.fill({slot.value: "x" for slot in pieces.slots})


def test_a_picture_inside_is_related_to_the_html_and_named_as_it_calls_it() -> None:
    raw = message_of(MARKDOWN + BLOCK.format(""))
    message = email.message_from_bytes(raw, policy=policy.default)
    assert message.get_content_type() == "multipart/alternative"
    plain, rich = message.iter_parts()
    assert plain.get_content_type() == "text/plain"
    assert (rich.get_content_type(), rich.get_param("type")) == ("multipart/related", "text/html")
    html, image = rich.iter_parts()  # once, though it is shown twice
    assert html.get_content().count(f'src="cid:{NAME}@letters.example.org"') == 2
    assert image["content-id"] == f"<{NAME}@letters.example.org>"
    assert image.get_content_type() == "image/png"
    assert image.get_content_disposition() == "inline"
    assert image.get_content() == DATA
    assert all(not part.defects for part in message.walk())
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_the_same_letter_has_the_same_pictures_inside() -> None:
    assert message_of(MARKDOWN) == message_of(MARKDOWN)


def test_only_who_sees_a_picture_gets_it() -> None:
    body = "::: text\nFor all.\n:::\n" + MARKDOWN.replace("::: text", '::: text {for="segment:workplace"}')
    _, cut = finished(built(body, inline=True))
    without, with_it = (each.mime.fill({slot.value: "x" for slot in each.mime.slots}) for each in cut.variants)
    assert b"multipart/related" not in without
    assert b"image/png" in with_it


def test_the_picture_is_in_the_edition_once_and_comes_back_whole() -> None:
    large = {"chair.png": replace(CHAIR, data=bytes(range(256)) * 40)}
    body = MARKDOWN + BLOCK.format(' for="segment:workplace"')
    edition = edition_of(body, pictures=large, inline=True)
    assert read_edition(edition.to_bytes()) == edition
    first_line = edition.images[0].data.split("\n")[0].encode()
    assert edition.to_bytes().count(first_line) == 1


def test_a_provider_that_takes_only_html_is_told_of() -> None:
    (problem,) = built(MARKDOWN, inline=True, carries=False).errors
    assert problem.check == "image-inline"
    assert "inline = false" in problem.hint
    assert built("::: text\nx\n:::\n", inline=True, carries=False).errors == []


def test_why_a_picture_cannot_be_used_comes_from_who_looked() -> None:
    why = Unreadable(what="is a WebP picture", hint="save it as PNG")
    at = replace(desk(), picture_of=lambda _name: why)
    (problem,) = build(letter(MARKDOWN), path="issues/a.md", issue_id=ISSUE_ID, desk=at).errors
    assert (problem.what, problem.hint) == ("the picture 'chair.png' is a WebP picture", "save it as PNG")
