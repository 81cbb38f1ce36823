"""Mails to one person as they are seen: on a phone and on a desktop, by day and in the dark."""

from __future__ import annotations

import pytest

from newsletter.audience.asking import MailKind
from newsletter.audience.subscriber import Subscriber
from tests.browser.axe import objections
from tests.browser.measures import crowded_links, faint_texts, small_texts, wide_parts
from tests.browser.viewer import PHONE, Viewer, at_both_widths, in_both_lights
from tests.conftest import NOW
from tests.unit.letters import THEMES
from tests.unit.mails import LANGUAGES, mail_to

each_mail = pytest.mark.parametrize(
    ("kind", "language", "theme"),
    [(kind, language, theme) for kind in MailKind for language in LANGUAGES for theme in THEMES],
)


def page_of(kind: MailKind, language: str, theme: str) -> str:
    """A mail's HTML, filled."""
    return mail_to(Subscriber(id=1, address="ana@example.org"), kind, language, theme, at=NOW)[1]


@pytest.mark.needs("chromium")
@each_mail
def test_a_mail_is_large_and_clear_and_no_wider_than_a_phone(
    kind: MailKind, language: str, theme: str, viewer: Viewer
) -> None:
    html = page_of(kind, language, theme)
    for dark in (False, True):
        shown = viewer.show(html, width=PHONE, dark=dark)
        assert small_texts(shown) + faint_texts(shown) + crowded_links(shown) + wide_parts(shown) == []


@pytest.mark.needs("chromium", "node")  # node, since npm installs axe-core
@at_both_widths
@in_both_lights
@pytest.mark.parametrize("kind", MailKind)
def test_axe_finds_nothing_to_object_to_in_a_mail(kind: MailKind, width: int, dark: bool, viewer: Viewer) -> None:
    assert objections(viewer.show(page_of(kind, "en", "letter"), width=width, dark=dark)) == []
