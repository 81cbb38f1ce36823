"""A mail to one person, made: compiled as letters are, in the newsletter's theme, without what only letters have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from newsletter.audience.asking import MailKind
from newsletter.content.issue import Level, Problem
from newsletter.content.mail import Mail, parse_mail
from newsletter.errors import IssueHasProblems
from newsletter.rendering.compile import Setting, compile_issue
from newsletter.rendering.edition import Condition, Edition
from newsletter.rendering.holes import needed_links
from newsletter.rendering.images import names_in
from newsletter.rendering.message import Cut, cut_edition
from newsletter.rendering.theme import read_theme
from newsletter.rendering.theme_lint import lint_theme
from newsletter.usecases.build import nothing_there

# What a mail is there for; without it, it would say nothing.
_CARRIES = {MailKind.CONFIRM: "confirm_url", MailKind.WELCOME: "unsubscribe_url", MailKind.LINK: "page_url"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What mails are made with."""

    setting: Setting
    theme_name: str
    theme_files: Mapping[str, str]


def make_mail(
    text: str, *, path: str, kind: MailKind, language: str, newest: bool, press: Press
) -> tuple[Edition, Cut]:
    """The mail in *text*, ready to be filled. Raises IssueHasProblems with the first problem.

    *newest* says whether there is a newest letter to lead to.
    """
    mail, problems = parse_mail(text, path=path, kind=kind.value, language=language, newest=newest)
    _refuse([*problems, *lint_theme(press.theme_name, press.theme_files)])
    edition, problems = compile_issue(
        mail.issue,
        theme=read_theme(press.theme_name, press.theme_files, language=language),
        setting=_around(mail, kind, press.setting),
        audience=Condition(name="", rule={}),
        rules={},
        pictures={name: nothing_there(name) for name in names_in(mail.issue)},
    )
    _refuse(problems)
    assert edition is not None  # where there is none, there was a problem
    cut = cut_edition(edition, automatic=True)
    for part in (cut.variants[0].html, cut.variants[0].text):
        if _CARRIES[kind] not in needed_links([part]):
            hint = f'give a button url="{{{{ {_CARRIES[kind]} }}}}"'
            raise IssueHasProblems(f"it does not lead to {_CARRIES[kind]}", at=path, hint=hint)
    return edition, cut


def _around(mail: Mail, kind: MailKind, setting: Setting) -> Setting:
    """What surrounds a mail. Whoever has yet to confirm, or asked for a link, is offered no list to leave."""
    identity = setting.identity if kind is MailKind.WELCOME else replace(setting.identity, leave_mode="none")
    return replace(setting, identity=identity, reason=mail.reason)


def _refuse(problems: Iterable[Problem]) -> None:
    for problem in problems:
        if problem.level is Level.ERROR:
            raise IssueHasProblems(problem.what, at=str(problem.at), hint=problem.hint)
