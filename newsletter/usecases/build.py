"""Build: from the text of a letter to its edition, with every problem there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from newsletter.audience.predicate import Received, leaves
from newsletter.audience.segments import from_data, received_rule
from newsletter.content.issue import Issue, Level, Problem, Send
from newsletter.content.parse import Defaults, parse
from newsletter.content.suggest import did_you_mean
from newsletter.errors import IssueHasProblems
from newsletter.rendering.checks.page import Facts
from newsletter.rendering.checks.reading import read
from newsletter.rendering.checks.table import check_page, check_text, refuse_switches
from newsletter.rendering.compile import Setting, compile_issue
from newsletter.rendering.edition import Condition, Edition
from newsletter.rendering.images import PictureOf, Unreadable, names_in, shown_in
from newsletter.rendering.message import Cut, cut_edition
from newsletter.rendering.theme import Theme, read_theme
from newsletter.rendering.theme_lint import lint_theme
from newsletter.schedule import NEVER_QUIET, Quiet
from newsletter.usecases.inside import NO_INSIDE, NO_INSIDE_HINT

_NAMED = 50  # letters among which a slip is looked for: the last ones
_LEVELS = list(Level)  # the worst first
LONG_NAME = "Wilhelmina-Alexandrina Featherstonehaugh"  # 40 characters, for sizes when nobody is on the list yet


def nothing_there(_name: str) -> Unreadable:
    """What a desk without files says of every picture."""
    return Unreadable(what="is not there", hint="look at its name, upper and lower case too")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """All that lies on an editor's desk beside the letter itself."""

    defaults: Defaults
    setting: Setting
    theme_name: str
    theme_files: Mapping[str, str]
    segments: Mapping[str, Mapping[str, Any]]  # name → rule, as data
    letters: frozenset[str] = frozenset()  # the ids of all letters, for rules that ask who received one
    quiet: Quiet = NEVER_QUIET
    picture_of: PictureOf = nothing_there
    inline: bool = False  # pictures travel inside the message
    carries_inline: bool = True  # and the provider takes such messages
    required: tuple[str, ...] = ()  # kinds of block that no letter may lack
    wording: str = ""  # the text of the word list
    off: Mapping[str, str] = field(default_factory=dict)  # checks that are switched off → why

    def rule(self, audience: str) -> Mapping[str, Any] | None:
        """The rule of a segment, or of those who received a letter; None if there is none such."""
        return self.segments.get(audience) or received_rule(audience)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A letter, as far as it could be built. `edition` and `cut` are None if there are errors before."""

    issue: Issue
    edition: Edition | None
    cut: Cut | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep the letter from leaving."""
        return [problem for problem in self.problems if problem.level is Level.ERROR]


def build(text: str, *, path: str, issue_id: str, desk: Desk) -> Built:
    """Parse, compile and check a letter; whatever is wrong comes back as problems, never as an exception."""
    refuse_switches(desk.off)
    issue, problems = parse(text, path=path, issue_id=issue_id, defaults=desk.defaults)
    audience = _audience(issue, desk, problems)
    if isinstance(issue.send, Send) and issue.send.day in desk.quiet:
        hint = "choose another day, or change [schedule] quiet"
        problems.append(Problem(at=issue.span("send"), what=f"{issue.send.day} is a quiet day", hint=hint))
    pictures = {name: desk.picture_of(name) for name in names_in(issue)}
    reading = read(issue, required=desk.required, wording=desk.wording, shown=shown_in(issue, pictures))
    problems += check_text(reading, off=desk.off)
    theme = read_theme(desk.theme_name, desk.theme_files, language=issue.language)
    wrong = lint_theme(desk.theme_name, desk.theme_files)
    problems += [*wrong, *_silence(issue, theme)]
    if any(problem.level is Level.ERROR for problem in wrong):  # inlining it might not even come to an end
        return Built(issue=issue, edition=None, cut=None, problems=_in_order(problems))
    rules = {f"segment:{name}": rule for name, rule in desk.segments.items()}
    edition, more = compile_issue(
        issue,
        theme=theme,
        setting=desk.setting,
        audience=audience,
        rules=rules,
        pictures=pictures,
        inline=desk.inline,
    )
    problems += [*more, *_unaskable(issue, rules)]
    if edition and not desk.carries_inline and edition.has_inside:
        problems.append(Problem(at=issue.span("title"), what=NO_INSIDE, hint=NO_INSIDE_HINT, check="image-inline"))
    if edition is None or any(problem.level is Level.ERROR and not problem.check for problem in problems):
        return Built(issue=issue, edition=None, cut=None, problems=_in_order(problems))
    cut = cut_edition(edition)
    facts = Facts(
        issue=issue, edition=edition, cut=cut, longest=_longest(cut), theme=desk.theme_name, told=_told(desk.setting)
    )
    problems += check_page(facts, off=desk.off)
    return Built(issue=issue, edition=edition, cut=cut, problems=_in_order(problems))


def finished(built: Built) -> tuple[Edition, Cut]:
    """The edition, if there is nothing wrong with it. Raises IssueHasProblems."""
    if built.errors or built.edition is None or built.cut is None:
        count = len(built.errors)
        raise IssueHasProblems(
            f"{count} problem{'s' if count != 1 else ''} to mend first",
            at=built.issue.path,
            hint=f"newsletter check {built.issue.id}",
        )
    return built.edition, built.cut


def _audience(issue: Issue, desk: Desk, problems: list[Problem]) -> Condition:
    rule = desk.rule(issue.audience)
    if rule is None:
        problems.append(
            Problem(
                at=issue.span("audience"),
                what=f"no segment {issue.audience!r}",
                hint=did_you_mean(issue.audience, desk.segments),
            )
        )
    for leaf in leaves(from_data(rule)) if rule else ():
        if isinstance(leaf, Received) and leaf.issue_id not in desk.letters:
            what = f"the audience asks who received {leaf.issue_id!r}, and there is no such letter"
            hint = did_you_mean(leaf.issue_id, sorted(desk.letters)[-_NAMED:])
            problems.append(Problem(at=issue.span("audience"), what=what, hint=hint))
    return Condition(name=issue.audience, rule=rule or {})


def _unaskable(issue: Issue, rules: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """A problem for each block whose readers could become others while the letter is sent."""
    return [
        Problem(
            at=block.at,
            what=f"{block.condition!r} asks what somebody received, which changes while letters are sent",
            hint="choose by it in audience: of a letter of its own",
        )
        for block in issue.blocks
        if any(isinstance(leaf, Received) for leaf in leaves(from_data(rules.get(block.condition, {"all": []}))))
    ]


def _silence(issue: Issue, theme: Theme) -> list[Problem]:
    """A problem if the theme has no words in the letter's language."""
    if theme.speaks:
        return []
    what = f"the theme has no words in {issue.language!r}; its own would be English"
    hint = f"add [words.{issue.language}] to templates/{theme.name}/theme.toml"
    return [Problem(at=issue.span("language"), what=what, hint=hint, level=Level.WARNING, check="theme-language-words")]


def _longest(cut: Cut) -> dict[str, str]:
    """A value for every slot that is about as long as values get."""
    slots = {slot.value for each in cut.variants for slot in (*each.html.slots, *each.text.slots)} | {
        slot.value for slot in cut.subject.slots
    }
    return {value: "https://example.org/" + "x" * 80 if value.endswith("_url") else LONG_NAME for value in slots}


def _told(setting: Setting) -> dict[str, tuple[str, ...]]:
    """What the law wants every message to say."""
    return {
        "sender": (setting.identity.name,),
        "postal address": setting.postal_address,
        "reason why its reader gets it": (setting.reason,),
    }


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.at, _LEVELS.index(problem.level))))
