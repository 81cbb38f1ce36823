"""The web version of a letter as it is seen: on a phone and on a desk, in the light and in the dark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.rendering.archive import page_of
from newsletter.rendering.images import Picture
from newsletter.usecases.build import build, finished
from tests.browser.chromium import Chromium
from tests.browser.measures import crowded_links, faint_texts, small_texts, wide_parts
from tests.drawing import picture
from tests.unit.letters import ROOT, desk

pytestmark = pytest.mark.needs("chromium")

PHONE, DESK = 375, 1280
ISSUE = "2026-11-23-renew-your-goals"
PICTURES = """
::: image {src="wide.png" alt="A ring" caption="Worn by everyone."}
:::

::: text
![A small ring](small.png)
:::
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page and its pictures, as they lie on a site."""
    found = {
        name: Picture(file=f"issues/{name}", data=picture(width=width), kind="png", width=width, height=400)
        for name, width in (("wide.png", 1160), ("small.png", 180))
    }
    text = (ROOT / "issues" / f"{ISSUE}.md").read_text() + PICTURES
    at = replace(desk(), picture_of=found.__getitem__)
    edition, _ = finished(build(text, path="issues/a.md", issue_id=ISSUE, desk=at))
    folder = tmp_path_factory.mktemp("site")
    page = folder / "letters" / ISSUE / "index.html"
    page.parent.mkdir(parents=True)
    page.write_bytes(page_of(edition))
    (folder / "images").mkdir()
    by_file = {each.file: each for each in found.values()}
    for image in edition.images:
        (folder / "images" / image.name).write_bytes(by_file[image.file].data)
    return page


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_can_be_read(site: Path, width: int, dark: bool, browser: Chromium) -> None:
    browser.show(site, width=width, dark=dark)
    assert small_texts(browser) == []
    assert faint_texts(browser) == []
    assert crowded_links(browser) == []
    assert wide_parts(browser) == []


@pytest.mark.parametrize(("width", "wide"), [(PHONE, 331), (DESK, 580)])
def test_its_pictures_are_there_and_as_wide_as_the_text_at_most(
    site: Path, width: int, wide: int, browser: Chromium
) -> None:
    browser.show(site, width=width)
    shown = browser.run("() => [...document.images].map(image => [image.naturalWidth, image.width])")
    assert shown == [[1160, wide], [180, 180]]


def test_it_asks_nobody_but_its_own_site_and_runs_nothing(site: Path, browser: Chromium) -> None:
    browser.show(site, width=DESK)
    fetched = browser.run(
        "() => [...document.querySelectorAll('[src], [srcset], [background], link, object, iframe')]"
        ".map(each => each.getAttribute('src') ?? each.outerHTML)"
    )
    assert len(fetched) == 2
    assert all(name.startswith("../../images/") for name in fetched)
    page = site.with_name("scripted.html")
    page.write_text(site.read_text().replace("</body>", "<script>document.title = 'run'</script></body>"))
    browser.show(page, width=DESK)
    assert browser.run("() => document.title") != "run"
