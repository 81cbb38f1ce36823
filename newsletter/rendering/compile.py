"""From a letter to its edition: the passes, in order, for every variant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, product
from types import MappingProxyType
from typing import Any

from markupsafe import Markup

from newsletter.content.issue import After, Block, Issue, Level, Problem, Send, Span
from newsletter.rendering import blocks as rendered
from newsletter.rendering.dates import long_date
from newsletter.rendering.edition import Condition, Edition, Identity, Variant
from newsletter.rendering.expressions import LINK_FIELDS, MAIL_LINKS
from newsletter.rendering.holes import Marker, Misplaced, cut_html, mark_word, unsafe_addresses
from newsletter.rendering.images import Album, Picture, Unreadable, image_problems
from newsletter.rendering.inline import inline_css
from newsletter.rendering.theme import Theme

MAX_CONDITIONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What surrounds every letter of one newsletter."""

    identity: Identity
    tagline: str
    postal_address: tuple[str, ...]
    reason: str
    site_url: str
    custom_fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A letter on its way through the passes."""

    issue: Issue
    blocks: tuple[Block, ...]
    subject: str
    preheader: str
    setting: Setting
    theme: Theme
    marker: Marker
    album: Album
    public: str  # where its own page is; "" if it has none


def compile_issue(
    issue: Issue,
    *,
    theme: Theme,
    setting: Setting,
    audience: Condition,
    rules: Mapping[str, Mapping[str, Any]],
    pictures: Mapping[str, Picture | Unreadable] = MappingProxyType({}),
    inline: bool = False,
    finish: Callable[[str], str] = inline_css,
) -> tuple[Edition | None, list[Problem]]:
    """The edition of *issue*, or None, and every problem found on the way.

    *rules* has the rule of every segment by its `segment:NAME`, *pictures* what lies in the workspace, by the names
    the letter calls it; they travel *inline*, or are fetched from the site. *finish* is the last pass over a page;
    another one shows the page as it was before, to compare.
    """
    mail = not issue.audience  # it is to one person: it has no page of its own, and links that letters have not
    marker = Marker(
        mark_word(_everything_in(issue, setting, theme)),
        custom_fields=setting.custom_fields,
        links=(*LINK_FIELDS, *MAIL_LINKS) if mail else LINK_FIELDS,
    )
    album = Album(found=pictures, site_url=setting.site_url, domain=setting.identity.domain, inline=inline)
    marked = tuple(rendered.marked(block, marker) for block in issue.blocks)
    draft = _Draft(
        issue=issue,
        blocks=tuple(album.placed(block) for block in marked),
        subject=marker.mark(issue.subject, issue.span("subject")),
        preheader=marker.mark(issue.preheader, issue.span("preheader")),
        setting=setting,
        theme=theme,
        marker=marker,
        album=album,
        public="" if mail else archive_url(setting.site_url, issue.id),
    )
    if "{{" in issue.title:
        marker.problems.append(
            Problem(
                at=issue.span("title"),
                what="the title holds a personal field",
                hint="the title is the same for everyone; the subject may be personal",
            )
        )
    problems = marker.problems + rendered.block_problems(marked) + image_problems(issue, pictures)
    names = _condition_names(issue, rules, problems)
    if any(problem.level is Level.ERROR for problem in problems):
        return None, problems
    parts = {html: _parts(draft, html=html) for html in (True, False)}
    variants = [
        _variant(draft, parts, dict(zip(names, truth, strict=True)), finish)
        for truth in product((False, True), repeat=len(names))
    ]
    edition = Edition(
        issue_id=issue.id,
        title=issue.title,
        subject=draft.subject,
        preheader=draft.preheader,
        language=issue.language,
        direction=issue.direction,
        send_day=issue.send.day.isoformat() if isinstance(issue.send, Send) else "",
        send_at=f"{issue.send.at:%H:%M}",
        send_zone=(issue.send.zone or "") if isinstance(issue.send, Send) else "",
        series=None if isinstance(issue.send, Send) else _series(issue.send),
        audience=audience,
        conditions=tuple(Condition(name=name, rule=rules[name]) for name in names),
        identity=setting.identity,
        archive_url=draft.public,
        mark_word=marker.word,
        holes=tuple(expression.source for expression in marker.expressions),
        needs={name: str(at) for name, at in sorted(marker.uses.items())},
        variants=tuple(variants),
        images=album.images(),
    )
    return edition, problems + _check_addresses(edition, draft)


def _series(after: After) -> dict[str, object]:
    return {"days": after.days, "since": after.since.isoformat(), "quiet": list(after.quiet)}


def _everything_in(issue: Issue, setting: Setting, theme: Theme) -> str:
    """All text that could end up in the letter."""
    blocks = [(block.kind, dict(block.attributes), dict(block.fields), block.body) for block in issue.blocks]
    return repr((issue.title, issue.subject, issue.preheader, issue.language, blocks, setting, theme.files))


def archive_url(site_url: str, issue_id: str) -> str:
    """Where a letter's own public page is."""
    return f"{site_url}/letters/{issue_id}/"


def _condition_names(issue: Issue, rules: Mapping[str, Mapping[str, Any]], problems: list[Problem]) -> list[str]:
    names: list[str] = []
    for block in issue.blocks:
        if not block.condition or block.condition in names:
            continue
        if block.condition not in rules:
            known = ", ".join(sorted(name.removeprefix("segment:") for name in rules)) or "none yet"
            problems.append(
                Problem(
                    at=block.at,
                    what=f"no segment {block.condition.removeprefix('segment:')!r}",
                    hint=f"subscribers/segments.toml has: {known}",
                )
            )
        names.append(block.condition)
    if len(names) > MAX_CONDITIONS:
        problems.append(
            Problem(
                at=Span(issue.path),
                what=f"{len(names)} different for= conditions; a letter may have {MAX_CONDITIONS}",
                hint="join some of them in one segment",
            )
        )
    return names


def _parts(draft: _Draft, *, html: bool) -> list[str]:
    """Every block, rendered once for all variants."""
    issue = draft.issue
    views = [
        rendered.view(
            block,
            number,
            html=html,
            title=issue.title,
            archive_url=draft.public,
            language=issue.language,
            album=draft.album,
        )
        for number, block in enumerate(draft.blocks, start=1)
    ]
    return [draft.theme.block(view, html=html) for view in views]


def _variant(
    draft: _Draft, parts: Mapping[bool, Sequence[str]], truth: Mapping[str, bool], finish: Callable[[str], str]
) -> Variant:
    seen = [not block.condition or truth[block.condition] for block in draft.blocks]
    html = finish(_page(draft, list(compress(parts[True], seen)), html=True))
    text = _page(draft, list(compress(parts[False], seen)), html=False)
    return Variant(conditions=tuple(truth.values()), html=html, text=text)


def _page(draft: _Draft, parts: Sequence[str], *, html: bool) -> str:
    issue, setting = draft.issue, draft.setting
    constant = draft.marker.constant
    return draft.theme.page(
        {
            "letter": {
                "id": issue.id,
                "title": issue.title,
                "subject": draft.subject,
                "preheader": draft.preheader,
                "language": issue.language,
                "direction": issue.direction,
                "date": long_date(issue.send.day, issue.language) if isinstance(issue.send, Send) else "",
            },
            "newsletter": {
                "name": setting.identity.newsletter,
                "tagline": setting.tagline,
                "postal_address": setting.postal_address,
                "sender_name": setting.identity.name,
                "reply_to": setting.identity.reply_to or setting.identity.address,
                "reason": setting.reason,
            },
            "links": {
                "unsubscribe": constant("unsubscribe_url") if setting.identity.leave_mode != "none" else "",
                "preferences": constant("preferences_url") if setting.identity.leave_mode == "own" else "",
                "archive": constant("archive_url") if draft.public else "",
            },
            "body": Markup("\n").join(parts) if html else "\n\n".join(part for part in parts if part),
        },
        html=html,
    )


def _check_addresses(edition: Edition, draft: _Draft) -> list[Problem]:
    """The holes that ended up where no value is safe, and the links that lead where none may."""
    holes = draft.marker.holes(edition.constants)
    problems: dict[str, Problem] = {}
    for variant in edition.variants:
        try:
            cut_html(variant.html, holes)
        except Misplaced as err:
            at = draft.marker.places.get(err.source, Span(draft.issue.path))
            hint = "put it into a sentence, or after https://… in an address"
            problems[err.source] = Problem(at=at, what=str(err), hint=hint)
        for address in unsafe_addresses(variant.html, holes, pictures=draft.album.addresses()):
            what = f"a link leads to {address[:80]!r}, which no letter may"
            problems[address] = Problem(at=Span(draft.issue.path), what=what, hint="write it with https://")
    return list(problems.values())
