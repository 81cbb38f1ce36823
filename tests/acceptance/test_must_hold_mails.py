"""Mails to one person hold what letters must hold, where it applies: in each language and theme they come in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from newsletter.audience.asking import MailKind
from newsletter.audience.subscriber import Subscriber
from tests.acceptance import rules_message, rules_page, rules_person
from tests.acceptance.houses import PLAIN_HOUSE
from tests.acceptance.mailing import Letter, Mail
from tests.acceptance.people import Person
from tests.conftest import NOW
from tests.unit.letters import THEMES
from tests.unit.mails import LANGUAGES, LINKS, mail_filler, mail_text, mail_to

RULES = (
    *(rules_message.parses, rules_message.lines_are_short, rules_message.date_is_the_claim),
    *(rules_message.encoded_words_are_right, rules_message.subject_is_the_letters, rules_message.to_is_the_recipient),
    *(rules_message.list_id_is_right, rules_message.two_parts, rules_message.text_is_text, rules_message.not_clipped),
    *(rules_page.is_a_document, rules_page.says_its_language, rules_page.has_a_title),
    *(rules_page.tables_say_what_they_are, rules_page.links_lead_somewhere, rules_page.headings_are_steps),
    *(rules_page.styles_are_kept_small, rules_page.inline_styles_are_plain, rules_page.dark_is_provided_for),
    *(rules_page.outlook_links_are_the_same, rules_page.nothing_runs, rules_page.attributes_are_measures),
    *(rules_page.preheader_is_first, rules_person.nothing_is_left_over, rules_person.text_says_the_same),
    *(rules_person.text_has_the_links, rules_person.text_is_plain, rules_person.nothing_tracks),
)
ALWAYS = {"From", "Reply-To", "List-Id", "Auto-Submitted", "Date", "To", "Subject", "Message-ID", "MIME-Version"}
ALWAYS |= {"Content-Type"}
LEAVING = {"List-Unsubscribe", "List-Unsubscribe-Post"}
OWN_LINK = {MailKind.CONFIRM: "confirm_url", MailKind.LINK: "page_url", MailKind.WELCOME: "unsubscribe_url"}

each_mail = pytest.mark.parametrize(
    ("kind", "language", "theme"),
    [(kind, language, theme) for kind in MailKind for language in LANGUAGES for theme in THEMES],
)


def mail_of(kind: MailKind, language: str, theme: str) -> Mail:
    """A mail, and what its author wrote."""
    text = mail_text(kind, language).replace("{{ newsletter_name }}", PLAIN_HOUSE.name)
    letter = Letter(
        id=kind.value,
        text=text.replace("---\n", f"---\nlanguage: {language}\n", 1),
        house=PLAIN_HOUSE,
        sent_at=NOW,
    )
    letter = replace(letter, house=replace(PLAIN_HOUSE, reason=letter.head["reason"]))
    raw, _ = mail_to(Subscriber(id=1, address="ana@example.org"), kind, language, theme, at=NOW)
    person = Person(address="ana@example.org", leave_token="a" * 22)
    return Mail(raw=raw, letter=letter, person=person, claimed_at=NOW, again=raw)


def objections(mail: Mail) -> Iterator[str]:
    for rule in RULES:
        yield from (f"{rule.__name__}: {told}" for told in rule(mail))


@each_mail
def test_a_mail_holds_what_letters_must_hold(kind: MailKind, language: str, theme: str) -> None:
    assert list(objections(mail_of(kind, language, theme))) == []


@each_mail
def test_a_mail_says_who_writes_and_why_and_leads_where_it_should(kind: MailKind, language: str, theme: str) -> None:
    mail = mail_of(kind, language, theme)
    house = mail.letter.house
    for shown in (mail.page.prose, " ".join(mail.text.split())):
        assert all(each in shown for each in (house.sender, house.reason, *house.postal_address))
    link = LINKS[OWN_LINK[kind]]
    assert link in [each.get("href") for each in mail.page.all("a")]
    assert link in mail.text.split()


@pytest.mark.parametrize("kind", MailKind)
def test_a_machine_made_it_and_only_whoever_is_on_the_list_is_offered_to_leave(kind: MailKind) -> None:
    mail = mail_of(kind, "en", "letter")
    names = [field.name for field in mail.whole.fields]
    assert sorted(names) == sorted(ALWAYS | (LEAVING if kind is MailKind.WELCOME else set()))
    assert mail.whole.value("Auto-Submitted") == "auto-generated"
    assert ("leave/" in mail.text) == (kind is MailKind.WELCOME)
    if kind is MailKind.WELCOME:
        assert list(rules_message.leaving_is_offered(mail)) + list(rules_message.one_click(mail)) == []


def test_a_welcome_leads_to_no_letter_while_there_is_none() -> None:
    with_letter, without = (mail_filler(MailKind.WELCOME, newest=newest) for newest in (True, False))
    for body, has in ((with_letter.letter.bodies[0], True), (without.letter.bodies[0], False)):
        assert (LINKS["letter_url"].encode() in body.html.fill(LINKS)) == has
        assert (LINKS["letter_url"].encode() in body.text.fill(LINKS)) == has


def test_the_rules_notice() -> None:
    mail = mail_of(MailKind.CONFIRM, "en", "letter")
    broken = replace(mail, raw=mail.raw.replace(b"multipart/alternative", b"multipart/mixed").replace(b"</h1>", b""))
    assert {each.partition(":")[0] for each in objections(broken)} >= {"two_parts", "is_a_document"}
