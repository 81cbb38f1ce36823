"""`newsletter render --png`: a letter as a picture, taken by the browser of this machine."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from newsletter.app import picturing
from tests.acceptance.workplace import ISSUE, Workplace


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    place = Workplace(tmp_path_factory.mktemp("picture"))
    place.done("init", str(place.root))
    return place


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.needs("chromium")
def test_a_picture_shows_the_whole_letter_at_its_width_by_day_and_in_the_dark(
    workplace: Workplace, tmp_path: Path
) -> None:
    light, dark, wide = (tmp_path / f"{name}.png" for name in ("light", "dark", "wide"))
    said = workplace.done("render", ISSUE, "--png", str(light), "--width", "375")
    assert said.stdout == ""
    assert str(light) in said.stderr
    workplace.done("render", ISSUE, "--png", str(dark), "--width", "375", "--dark")
    workplace.done("render", ISSUE, "--png", str(wide))
    assert size(light.read_bytes()) == size(dark.read_bytes())
    assert light.read_bytes() != dark.read_bytes()
    assert size(light.read_bytes())[0] == 375
    assert size(wide.read_bytes())[0] == 800
    assert size(light.read_bytes())[1] > size(wide.read_bytes())[1] > 2000


@pytest.mark.needs("chromium")
def test_the_picture_is_what_the_page_is(tmp_path: Path) -> None:
    red = picturing.picture(
        b'<!DOCTYPE html><body style="margin:0;height:50px;background:#f00">', width=200, dark=False
    )
    from PIL import Image

    (tmp_path / "red.png").write_bytes(red)
    with Image.open(tmp_path / "red.png") as image:
        assert image.size == (200, 50)
        assert image.convert("RGB").getcolors() == [(200 * 50, (255, 0, 0))]


def test_without_a_browser_it_says_what_to_do(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = workplace.run("render", ISSUE, "--png", str(tmp_path / "a.png"))
    assert said.exit_code == 1
    assert "chromium" in said.stderr
    assert "apt install chromium" in said.stderr
    assert not (tmp_path / "a.png").exists()


def test_a_browser_that_dies_is_an_error_and_no_traceback(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    said = workplace.run("render", ISSUE, "--png", str(tmp_path / "a.png"))
    assert said.exit_code == 1
    assert "gave no picture" in said.stderr


@pytest.mark.parametrize("words", [("--width", "375"), ("--dark",), ("--png", "a.png", "--text")])
def test_options_of_a_picture_belong_to_a_picture(workplace: Workplace, words: tuple[str, ...]) -> None:
    assert workplace.run("render", ISSUE, *words).exit_code == 2
