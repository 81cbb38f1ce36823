"""What filters say of our mails to one person."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsletter.audience.asking import MailKind
from newsletter.audience.subscriber import Subscriber
from tests.conftest import find_program
from tests.contract.judges import rspamd, spamassassin
from tests.contract.judges.test_spam import ENOUGH, held_against
from tests.unit.letters import THEMES
from tests.unit.mails import LANGUAGES, mail_to

EACH = [(kind, language, theme) for kind in MailKind for language in LANGUAGES for theme in THEMES]


def everything() -> list[bytes]:
    """Every mail, as it would leave this minute: who judges mail looks at the clock."""
    now = datetime.now(UTC).replace(microsecond=0)
    person = Subscriber(id=1, address="ana@example.org")
    return [mail_to(person, kind, language, theme, at=now)[0] for kind, language, theme in EACH]


@pytest.mark.needs("spamassassin")
def test_spamassassin_has_next_to_nothing_against_our_mails(tmp_path: Path) -> None:
    verdicts = spamassassin.judge(everything(), tmp_path)
    assert [each for each in zip(EACH, verdicts, strict=True) if each[1].score >= ENOUGH] == []


@pytest.mark.needs("rspamd")
def test_rspamd_holds_nothing_against_our_mails(tmp_path: Path) -> None:
    program = find_program("rspamd")
    assert program is not None
    with rspamd.running(program, tmp_path) as judge:
        told = {each: held_against(judge.judge(raw)) for each, raw in zip(EACH, everything(), strict=True)}
    assert {each: what for each, what in told.items() if what} == {}
