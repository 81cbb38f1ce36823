"""Mails to one person, as they are written and where they are found."""

from __future__ import annotations

import pytest

from newsletter.audience.asking import MailKind
from newsletter.content.mail import parse_mail, paths
from newsletter.errors import IssueHasProblems
from newsletter.usecases.mail import Press, make_mail
from tests.unit.letters import SETTING, built, theme_files
from tests.unit.mails import mail_text

PATH = "templates/mails/confirm.en.md"
TEXT = mail_text(MailKind.CONFIRM)


def test_the_language_of_a_person_goes_before_the_newsletters_and_english_is_last() -> None:
    assert [path.split(".")[1] for path in paths("link", ("de-AT", "fr"))] == ["de-AT", "de", "fr", "en"]
    assert list(paths("link", ("", "en")).values()) == ["en"]


@pytest.mark.parametrize(
    "language", ["../../../etc/passwd", "de/../x", "de.md\0", "x" * 5000, "de" + "-abcdefgh" * 99, "DE"]
)
def test_what_is_no_language_is_no_part_of_a_path(language: str) -> None:
    assert list(paths("link", (language, "de"))) == ["templates/mails/link.de.md", "templates/mails/link.en.md"]


def test_blocks_that_lead_to_the_newest_letter_are_left_out_while_there_is_none() -> None:
    text = mail_text(MailKind.WELCOME)
    kinds = [
        [
            block.kind
            for block in parse_mail(text, path=PATH, kind="welcome", language="en", newest=newest)[0].issue.blocks
        ]
        for newest in (True, False)
    ]
    assert kinds == [["text", "button", "text"], ["text", "text"]]


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("reason:", "why:", ":5: unknown key 'why'"),
        ("reason: You", "title: You", ":5: 'title' is given twice"),
        ("::: button", "::: buton", "no block kind 'buton'"),
        ("{{ confirm_url }}", "{{ confirm }}", "no field 'confirm'"),
        ('url="{{ confirm_url }}"', 'url="https://x.example/?to={{ confirm_url }}"', "inside another address"),
        ('url="{{ confirm_url }}"', 'url="http://x.example/"', "is no full https:// address"),
        ("{{ confirm_url }}", "{{ page_url }}", "it does not lead to confirm_url"),
        ("::: text", '::: image {src="a.png" alt="A"}', "the picture 'a.png' is not there"),
    ],
)
def test_what_is_wrong_with_a_mail_is_told_with_its_place(right: str, wrong: str, told: str) -> None:
    assert right in TEXT
    press = Press(setting=SETTING, theme_name="letter", theme_files=theme_files())
    with pytest.raises(IssueHasProblems) as raised:
        make_mail(
            TEXT.replace(right, wrong, 1), path=PATH, kind=MailKind.CONFIRM, language="en", newest=True, press=press
        )
    assert told in str(raised.value)
    assert str(raised.value).startswith("templates/mails/confirm.en.md")


def test_letters_have_none_of_the_links_of_mails() -> None:
    found = [problem.what for problem in built("::: text\nGo [there]({{ confirm_url }}).\n:::\n").errors]
    assert found == ["no field 'confirm_url'"]
