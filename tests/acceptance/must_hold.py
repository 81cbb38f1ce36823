"""What a message must satisfy: forty items, each with the functions that check it.

A check that looks at one message takes a `Mail`, one that compares messages takes all of them; both yield
what they object to, and tests/acceptance/broken.py proves of every objection that it can be raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.acceptance import rules_message as message
from tests.acceptance import rules_page as page
from tests.acceptance import rules_person as person
from tests.acceptance.mailing import Mail

LETTERS = "browser/test_letters.py"
SIGNATURE = "contract/judges/test_signature.py"

OneCheck = Callable[[Mail], Iterator[str]]
AllCheck = Callable[[Sequence[Mail]], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its sentence, its checks of each message, of all together, and its tests that judges of others make."""

    number: int
    sentence: str
    each: tuple[OneCheck, ...] = ()
    together: tuple[AllCheck, ...] = ()
    elsewhere: tuple[str, ...] = ()  # below tests/, as pytest calls them: file::test

    @property
    def is_checked(self) -> bool:
        return bool(self.each or self.together or self.elsewhere)


@dataclass(frozen=True, slots=True)
class Later:
    """What an item still waits for. `whole` if nothing of it can be checked before."""

    number: int
    whole: bool
    waits_for: str


# The one list of what is not checked yet.
LATER: tuple[Later, ...] = (
    Later(13, True, "the web pages: there is no address yet that a mailbox could send its one click to"),
)

ITEMS = (
    Item(1, "Every part can be read without a defect, lines end in CRLF, and there is no NUL.", (message.parses,)),
    Item(2, "No line is too long for a server, a header or its encoding.", (message.lines_are_short,)),
    Item(3, "Each header that matters stands once, in ASCII, and no other slips in.", (message.headers_stand_once,)),
    Item(
        4, "The date has a zone and is the instant of the claim as the database keeps it.", (message.date_is_the_claim,)
    ),
    Item(
        5,
        "Message-IDs are under our domain, differ between messages, and come back when a batch is filled again.",
        (message.message_id_is_ours, message.stays_the_same),
        (message.message_ids_differ,),
    ),
    Item(
        6, "Encoded-words are short, whole, apart, and only where they may stand.", (message.encoded_words_are_right,)
    ),
    Item(
        7,
        "The subject reads as its author meant it for this reader, and is no false answer.",
        (message.subject_is_the_letters,),
    ),
    Item(
        8, "It is addressed to the recipient by the name they gave, whatever it holds.", (message.to_is_the_recipient,)
    ),
    Item(
        9,
        "Leaving has one https address in brackets, and at most a mailbox beside it; or a mailbox alone.",
        (message.leaving_is_offered,),
    ),
    Item(10, "One click is enough to leave, and is promised only where it is.", (message.one_click,)),
    Item(
        11,
        "The address for leaving is opaque, names nobody, and belongs to one person.",
        (message.leave_token_is_opaque,),
        (message.leave_tokens_differ,),
    ),
    Item(12, "The list has one name for ever.", (message.list_id_is_right,), (message.list_id_is_one,)),
    Item(13, "A POST to the address for leaving is enough, once; a GET changes nothing."),
    Item(
        14,
        "Where we sign, it is by our own domain, over every header that matters, and a stranger finds it good.",
        elsewhere=(
            f"{SIGNATURE}::test_the_signature_of_every_letter_is_good",
            f"{SIGNATURE}::test_it_covers_every_header_that_matters_and_the_whole_body",
            f"{SIGNATURE}::test_it_is_by_the_domain_in_from",
        ),
    ),
    Item(
        15,
        "Text first, HTML last, both in UTF-8, encoded, between boundaries that do not change from day to day.",
        (message.two_parts,),
        (message.boundaries_are_settled,),
    ),
    Item(16, "All is valid text, and the HTML says its encoding early.", (message.text_is_text,)),
    Item(17, "The HTML is a whole document without a parse error.", (page.is_a_document,)),
    Item(18, "It says its language and direction, on the document and on all it shows.", (page.says_its_language,)),
    Item(19, "It has a title of its own.", (page.has_a_title,)),
    Item(20, "Tables are marked as layout, or have headers.", (page.tables_say_what_they_are,)),
    Item(21, "Pictures have words, a full address and a width.", (page.pictures_are_sound,)),
    Item(22, "Links lead somewhere and say where.", (page.links_lead_somewhere,)),
    Item(23, "Headings go down one step at a time from a single first one.", (page.headings_are_steps,)),
    Item(
        24,
        "People who see little can read it and hit its links, by day and in the dark.",
        elsewhere=(
            "browser/test_axe.py::test_axe_finds_nothing_to_object_to",
            "browser/test_axe.py::test_axe_is_asked_what_a_letter_must_hold",
            f"{LETTERS}::test_text_stands_out_from_what_is_behind_it",
            f"{LETTERS}::test_links_are_large_enough_to_hit",
        ),
    ),
    Item(25, "No visible text is smaller than 14 pixels.", elsewhere=(f"{LETTERS}::test_no_text_is_too_small",)),
    Item(
        26,
        "With its styles inlined it looks exactly as it was written, and without a style sheet on a desktop too.",
        elsewhere=(f"{LETTERS}::test_inlining_changes_nothing", f"{LETTERS}::test_a_desktop_needs_no_style_sheet"),
    ),
    Item(27, "A phone never scrolls sideways.", elsewhere=(f"{LETTERS}::test_nothing_is_wider_than_a_phone",)),
    Item(28, "It is small enough not to be clipped, for the longest names too.", (message.not_clipped,)),
    Item(
        29,
        "What is left of the styles is small, in the head, and written as mail clients read it.",
        (page.styles_are_kept_small,),
    ),
    Item(30, "Kept rules are kept as they are, and find the classes they are for.", (page.kept_rules_are_whole,)),
    Item(31, "Inline styles hold nothing that makes a mail client drop them.", (page.inline_styles_are_plain,)),
    Item(32, "The dark is provided for, and its rules win.", (page.dark_is_provided_for,)),
    Item(
        33,
        "What only Outlook reads is as it was written, and whole.",
        (page.outlook_comments_are_whole, page.outlook_links_are_the_same),
    ),
    Item(34, "Nothing runs, asks for input or leads away by itself.", (page.nothing_runs,)),
    Item(35, "Measures and colours in attributes are such.", (page.attributes_are_measures,)),
    Item(
        36,
        "The line for the inbox comes first, is of the right length, and is all that is hidden.",
        (page.preheader_is_first,),
    ),
    Item(37, "No mark, brace or None is left over.", (person.nothing_is_left_over,)),
    Item(
        38,
        "What readers call themselves is shown as it is and changes nothing else; nobody gets anything of another.",
        (person.own_words_are_literal, message.stays_the_same),
        (person.nobody_changes_the_page, person.nothing_of_anybody_else),
    ),
    Item(
        39,
        "The text says what the HTML says, with every link, is nothing but text, and no filter holds it against us.",
        (person.text_says_the_same, person.text_has_the_links, person.text_is_plain),
        elsewhere=(
            "contract/judges/test_spam.py::test_spamassassin_has_next_to_nothing_against_our_letters",
            "contract/judges/test_spam.py::test_rspamd_holds_nothing_against_our_letters",
        ),
    ),
    Item(
        40,
        "Both parts show how to leave, who writes, from where and why, and the web version; nothing tracks.",
        (person.law_is_kept, person.nothing_tracks),
    ),
)
