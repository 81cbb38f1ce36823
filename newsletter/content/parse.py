"""From the text of a file to an Issue, with every problem at once.

The container syntax: a line of three or more colons with a kind and optional attributes opens a block, a
line of the same number of colons closes it. Between blocks stand blank lines and comments only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, time

from newsletter.content import frontmatter
from newsletter.content.comments import without_comments
from newsletter.content.issue import After, Block, Issue, Problem, Send, Span
from newsletter.content.library import EVERY_KIND, KINDS, Kind
from newsletter.content.suggest import did_you_mean

MAX_BYTES = 200_000  # a letter of half as much is clipped by mailboxes; more is a paste gone wrong
MAX_BLOCKS = 100
MAX_ATTRIBUTES = 2_000  # characters between two braces
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")  # BCP 47, as far as its form goes
RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "iw", "ur", "yi", "ps", "sd", "ug", "dv", "ckb", "ku-arab"})
ID = re.compile(r"\d{4}-\d{2}-\d{2}-[a-z0-9]+(?:-[a-z0-9]+)*")
PART_ID = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*\.[a-z0-9]+(?:-[a-z0-9]+)*")  # series.part

_FENCE = re.compile(r"(:{3,})(?!:)\s*(?:([^\s{]+)\s*)?(\{.*)?")
# A value may hold an expression, and that expression its own quotes.
_ATTRIBUTE = re.compile(
    r"""\s*([A-Za-z_][\w-]*)\s*=\s*"""
    r"""(?:"((?>\{\{.*?\}\}|\\.|[^"\\])*+)"|'((?>\{\{.*?\}\}|[^'])*+)'|([^\s"'{}]+))"""
)
_FIELD = re.compile(r"([a-z_]+):(?:\s+(.*))?")
_CODE_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What newsletter.toml says where a letter is silent."""

    at: time
    audience: str
    language: str
    since: date | None = None  # of a series: whoever joined before is not in it
    quiet: tuple[str, ...] = ()


def parse(text: str, *, path: str, issue_id: str, defaults: Defaults) -> tuple[Issue, list[Problem]]:
    """The letter in *text*, as far as it can be read, and everything that is wrong with it."""
    problems: list[Problem] = []
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    is_part = defaults.since is not None
    if not (PART_ID if is_part else ID).fullmatch(issue_id):
        problems.append(
            Problem(
                at=Span(path),
                what=f"{issue_id!r} is no name for a letter",
                hint="call the file <number>-<words>.md, e.g. 01-pause.md"
                if is_part
                else "call the file <date>-<words>.md, e.g. 2026-11-23-renew-your-goals.md",
            )
        )
    if len(text.encode(errors="replace")) > MAX_BYTES:
        problems.append(
            Problem(
                at=Span(path),
                what=f"the file is {len(text) // 1000:,} kB; a letter may have {MAX_BYTES // 1000:,}",
                hint="was something pasted by mistake?",
            )
        )
        text = ""
    for found in frontmatter.UNSHOWABLE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        what = f"a character that cannot be shown (U+{ord(found[0]):04X})"
        problems.append(Problem(at=Span(path, line), what=what, hint="delete it; it may have come with a paste"))
        break
    head = frontmatter.split(text, path, problems, part=is_part) if text or not problems else frontmatter.Head()
    blocks = read_blocks(head, path, problems)
    send = _read_send(head, issue_id, path, defaults, problems)
    language = head.values.get("language", defaults.language)
    if not LANGUAGE.fullmatch(language):
        at = Span(path, head.lines.get("language", 1))
        problems.append(Problem(at=at, what=f"{language!r} is no language", hint="write a tag such as en or pt-BR"))
    issue = Issue(
        id=issue_id,
        path=path,
        title=head.values.get("title", ""),
        subject=head.values.get("subject", ""),
        preheader=head.values.get("preheader", ""),
        send=send,
        audience=head.values.get("audience", defaults.audience),
        language=language,
        direction="rtl" if language.lower().split("-")[0] in RIGHT_TO_LEFT else "ltr",
        blocks=tuple(blocks),
        lines=head.lines,
    )
    if not blocks and not problems:
        problems.append(
            Problem(
                at=Span(path, head.body_line),
                what="the letter has no blocks",
                hint="write e.g. '::: reflection', some text, and ':::'",
            )
        )
    return issue, problems


def _read_send(
    head: frontmatter.Head, issue_id: str, path: str, defaults: Defaults, problems: list[Problem]
) -> Send | After:
    """When the letter is due: on its day, or as a part of a series some days after joining."""
    if defaults.since is not None:
        days = frontmatter.read_after(head.values.get("after", ""), Span(path, head.lines.get("after", 1)), problems)
        return After(days=days, at=defaults.at, since=defaults.since, quiet=defaults.quiet)
    at = Span(path, head.lines.get("send", 1))
    send = frontmatter.read_send(head.values.get("send", ""), defaults.at, at, problems)
    if ID.fullmatch(issue_id) and send.day != date.min and str(send.day) != issue_id[:10]:
        what = f"the file is named {issue_id[:10]}, but the letter is sent on {send.day}"
        problems.append(Problem(at=at, what=what, hint="rename the file, or correct send:"))
    return send


def read_blocks(head: frontmatter.Head, path: str, problems: list[Problem]) -> list[Block]:
    """The blocks after the front matter; what is wrong with them is added to *problems*."""
    blocks: list[Block] = []
    lines = without_comments(head.body, path=path, first_line=head.body_line, problems=problems).split("\n")
    index = 0
    stray = False
    while index < len(lines):
        line = lines[index]
        at = Span(path, head.body_line + index)
        fence = _FENCE.fullmatch(line.rstrip())
        if fence and fence[2]:
            end = _closing(lines, index + 1, fence[1])
            if end is None:
                problems.append(
                    Problem(
                        at=at,
                        what=f"the block {fence[2]!r} is never closed",
                        hint=f"add a line '{fence[1]}' after its last line",
                    )
                )
                end = _next_opening(lines, index + 1)
            block = _read_block(fence[2], fence[3] or "", lines[index + 1 : end], at, problems)
            if block is not None:
                _refuse_twice(block, blocks, problems)
                blocks.append(block)
            if len(blocks) > MAX_BLOCKS:
                problems.append(Problem(at=at, what=f"more than {MAX_BLOCKS} blocks", hint="make two letters of it"))
                return blocks
            stray = False
            index = (
                end + 1
                if end < len(lines) and _FENCE.fullmatch(lines[end].rstrip()) and not _opens(lines[end])
                else end
            )
            continue
        if fence:
            problems.append(
                Problem(
                    at=at,
                    what="this fence closes nothing",
                    hint="open a block above it, e.g. '::: reflection', or delete the line",
                )
            )
        elif line.strip() and not stray:
            stray = True
            problems.append(
                Problem(at=at, what="this text stands outside every block", hint="put it between '::: text' and ':::'")
            )
        index += 1
    return blocks


def _opens(line: str) -> bool:
    fence = _FENCE.fullmatch(line.rstrip())
    return bool(fence and fence[2])


def _closing(lines: list[str], start: int, colons: str) -> int | None:
    """The line that closes a block opened by *colons*, or None. Fences inside code do not count."""
    code = ""
    for index in range(start, len(lines)):
        mark = _CODE_FENCE.match(lines[index])
        if code:
            code = "" if mark and mark[1].startswith(code) else code
            continue
        if mark and any(line.strip().startswith(mark[1]) for line in lines[index + 1 :]):
            code = mark[1]
            continue
        fence = _FENCE.fullmatch(lines[index].rstrip())
        if fence and len(fence[1]) == len(colons):
            return None if fence[2] else index
    return None


def _next_opening(lines: list[str], start: int) -> int:
    return next((index for index in range(start, len(lines)) if _opens(lines[index])), len(lines))


def _refuse_twice(block: Block, before: list[Block], problems: list[Problem]) -> None:
    same = [other for other in before if other.kind == block.kind]
    if KINDS[block.kind].once and any(other.condition == block.condition for other in same):
        problems.append(
            Problem(
                at=block.at,
                what=f"a second {block.kind!r} for the same readers",
                hint=f"a letter has one; the first is on line {same[0].at.line}",
            )
        )
    name = block.attributes.get("id")
    if name and any(other.attributes.get("id") == name for other in before):
        problems.append(Problem(at=block.at, what=f"the id {name!r} is taken", hint="ids must differ within a letter"))


def _read_block(name: str, braces: str, lines: list[str], at: Span, problems: list[Problem]) -> Block | None:
    kind = KINDS.get(name)
    if kind is None:
        problems.append(
            Problem(at=at, what=f"no block kind {name!r}", hint=did_you_mean(name, KINDS, otherwise="the kinds are"))
        )
        return None
    attributes = _read_attributes(braces, kind, at, problems)
    condition = attributes.pop("for", "")
    if condition and not re.fullmatch(r"segment:[a-z0-9][a-z0-9-]*", condition):
        problems.append(
            Problem(
                at=at,
                what=f"for={condition!r} names nobody",
                hint='write for="segment:NAME" with a segment of subscribers/segments.toml',
            )
        )
    fields, body, skipped = _read_fields(lines, kind)
    block = Block(
        kind=name,
        attributes=attributes,
        fields=fields,
        body=body,
        body_line=at.line + 1 + skipped,
        condition=condition,
        at=at,
    )
    for need in kind.required:
        given = body if need == "body" else attributes.get(need) or fields.get(need)
        if not (given or "").strip():
            problems.append(Problem(at=at, what=_missing(name, need, kind), hint=kind.about))
    return block


def _missing(name: str, need: str, kind: Kind) -> str:
    if need == "body":
        return f"the block {name!r} is empty"
    form = f"a line '{need}: …'" if need in kind.fields else f'{{{need}="…"}}'
    return f"the block {name!r} needs {form}"


def _read_attributes(braces: str, kind: Kind, at: Span, problems: list[Problem]) -> dict[str, str]:
    attributes: dict[str, str] = {}
    if not braces:
        return attributes
    if len(braces) > MAX_ATTRIBUTES:
        problems.append(Problem(at=at, what=f"attributes of {len(braces):,} characters", hint="was something pasted?"))
        return attributes
    position = 1
    while found := _ATTRIBUTE.match(braces, position):
        name = found[1]
        quoted = found[2]
        value = (
            re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else found[3] if found[3] is not None else found[4]
        )
        known = (*kind.attributes, *EVERY_KIND)
        if name not in known:
            problems.append(
                Problem(at=at, what=f"{kind.name!r} has no attribute {name!r}", hint=did_you_mean(name, known))
            )
        elif name in attributes:
            problems.append(Problem(at=at, what=f"{name!r} is given twice", hint="keep one of the two"))
        else:
            attributes[name] = value
        position = found.end()
    if braces[position:].strip() != "}":
        problems.append(
            Problem(
                at=at,
                what=f"cannot read the attributes from here: {braces[position:][:40].strip()!r}",
                hint='write {name="value" other="value"} on one line',
            )
        )
    return attributes


def _read_fields(lines: list[str], kind: Kind) -> tuple[dict[str, str], str, int]:
    """The leading `key: value` lines the kind declares, the rest, and how many lines were taken."""
    fields: dict[str, str] = {}
    taken = 0
    for line in lines:
        found = _FIELD.fullmatch(line.rstrip())
        if found and found[1] in kind.fields and found[1] not in fields:
            fields[found[1]] = (found[2] or "").strip()
        elif line.strip() or not fields:
            break
        taken += 1
    return fields, "\n".join(lines[taken:]), taken
