"""What filters say of our letters: SpamAssassin by its points, rspamd by what it holds against a message's build."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import find_program
from tests.contract.judges import rspamd, spamassassin
from tests.contract.judges.messages import NAMELESS, Sent, one_of_each, sent, with_parts
from tests.contract.judges.rspamd import Rspamd, Symbol
from tests.samples import ISSUES, Sample

ENOUGH = 1.0  # of the five points that make spam; what a server's own rules may add comes on top

# What rspamd adds for reasons that are not in how a message is built.
_EXCUSED = {
    "HFILTER_HOSTNAME_UNKNOWN": "no server handed the message over",
    "SUBJECT_ENDS_QUESTION": "a subject may ask",
    "R_MIXED_CHARSET": "a name with an accent stands in a sentence without one",
    "URI_COUNT_ODD": "links come in any number",
}


def held_against(symbols: dict[str, Symbol]) -> list[str]:
    """What rspamd has against a message: all that adds to its score, and a text that says another thing."""
    return [
        f"{each.name} {each.score:+.2f} {' '.join(each.options)}"
        for each in symbols.values()
        if (each.score > 0 or each.name == "R_PARTS_DIFFER")
        and each.name not in _EXCUSED
        # One hidden part is the line for the inbox.
        and not (each.name == "MANY_INVISIBLE_PARTS" and each.options == ("1",))
    ]


def everything() -> tuple[Sent, ...]:
    """Every letter to somebody with a name, and those that come with the newsletter to somebody without."""
    return (*one_of_each(), *(sent(Sample(path), NAMELESS) for path in ISSUES))


def no_more_than_an_excuse(message: Sent) -> bytes:
    return with_parts(message, text="This letter is best read in a program that shows pictures and colours.\n")


def the_first_lines(message: Sent) -> bytes:
    return with_parts(message, text=message.text[: len(message.text) // 10])


def no_text(message: Sent) -> bytes:
    return with_parts(message, text=None)


def hidden_by_its_colour(message: Sent) -> bytes:
    trick = '<div style="background-color:#ffffff"><font color="#fefefe">Words for machines, not for eyes.</font></div>'
    return with_parts(message, html=message.html.replace("</h1>", f"</h1>{trick}"))


def hidden_again_and_again(message: Sent) -> bytes:
    trick = '<div style="display:none">Words for machines.</div>' * 12
    return with_parts(message, html=message.html.replace("</h1>", f"</h1>{trick}"))


def dear_friend(message: Sent) -> bytes:
    return with_parts(
        message,
        text=message.text.replace("Dear Zoë,", "Dear friend,"),
        html=message.html.replace("Dear Zoë,", "Dear friend,"),
    )


def shouted(message: Sent) -> bytes:
    return with_parts(message, subject="BUY NOW AND EARN MONEY FAST")


@pytest.mark.needs("spamassassin")
def test_spamassassin_has_next_to_nothing_against_our_letters(tmp_path: Path) -> None:
    messages = everything()
    verdicts = spamassassin.judge([message.raw for message in messages], tmp_path)
    told = [f"{one}: {verdict}" for one, verdict in zip(messages, verdicts, strict=True) if verdict.score >= ENOUGH]
    assert told == []


SPOILED_FOR_SPAMASSASSIN: dict[Callable[[Sent], bytes], str] = {
    no_more_than_an_excuse: "MPART_ALT_DIFF",
    no_text: "MIME_HTML_ONLY",
    hidden_by_its_colour: "HTML_FONT_LOW_CONTRAST",
    dear_friend: "DEAR_FRIEND",
    shouted: "SUBJ_ALL_CAPS",
}


@pytest.mark.needs("spamassassin")
def test_spamassassin_notices(tmp_path: Path) -> None:
    message = sent(Sample(ISSUES[0]))
    verdicts = spamassassin.judge([spoil(message) for spoil in SPOILED_FOR_SPAMASSASSIN], tmp_path)
    for (spoil, rule), verdict in zip(SPOILED_FOR_SPAMASSASSIN.items(), verdicts, strict=True):
        assert rule in verdict.rules, f"{spoil.__name__}: {verdict}"
    assert sum(verdict.score >= ENOUGH for verdict in verdicts) >= 2


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rspamd]:
    program = find_program("rspamd")
    assert program is not None
    with rspamd.running(program, tmp_path_factory.mktemp("rspamd")) as started:
        yield started


@pytest.mark.needs("rspamd")
def test_rspamd_holds_nothing_against_our_letters(judge: Rspamd) -> None:
    told = {str(one): held_against(judge.judge(one.raw)) for one in everything()}
    assert {one: what for one, what in told.items() if what} == {}
    assert "HAS_LIST_UNSUB" in judge.judge(one_of_each()[0].raw)


SPOILED_FOR_RSPAMD: dict[Callable[[Sent], bytes], str] = {
    no_more_than_an_excuse: "R_PARTS_DIFFER",
    the_first_lines: "R_PARTS_DIFFER",
    no_text: "MIME_HTML_ONLY",
    hidden_again_and_again: "MANY_INVISIBLE_PARTS",
    shouted: "SUBJ_ALL_CAPS",
}


@pytest.mark.needs("rspamd")
def test_rspamd_notices(judge: Rspamd) -> None:
    message = sent(Sample(ISSUES[0]))
    for spoil, rule in SPOILED_FOR_RSPAMD.items():
        told = held_against(judge.judge(spoil(message)))
        assert rule in " ".join(told), f"{spoil.__name__}: {told}"
