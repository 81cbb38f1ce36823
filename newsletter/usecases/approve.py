"""Approve: freeze a letter as compiled, beside its source, so that what was approved is what is sent."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from newsletter.errors import NotApproved
from newsletter.rendering.edition import Edition, Identity, edition_hash, read_edition


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """Who approved which bytes when. `inputs` has a digest of every file the edition was made from."""

    issue_id: str
    revision: int
    edition: str
    approved_by: str
    approved_at: datetime
    inputs: Mapping[str, str]

    def to_toml(self) -> str:
        """The approval file: small, sorted, made to be read in a review."""
        lines = [
            "# Made by `newsletter approve`. It holds for exactly the edition beside it.",
            f"issue = {json.dumps(self.issue_id)}",
            f"revision = {self.revision}",
            f"edition = {json.dumps(self.edition)}",
            f"approved_by = {json.dumps(self.approved_by, ensure_ascii=False)}",
            f"approved_at = {self.approved_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "",
            "[inputs]",
            *(
                f"{json.dumps(name, ensure_ascii=False)} = {json.dumps(digest)}"
                for name, digest in sorted(self.inputs.items())
            ),
        ]
        return "\n".join(lines) + "\n"


def paths(issue_id: str) -> tuple[str, str]:
    """Where a letter's approval and its frozen edition are kept; a part's without its number, which may change."""
    series, _, part = issue_id.partition(".")
    place = f"issues/series/{series}/{part}" if part else f"issues/{issue_id}"
    return f"{place}.approval.toml", f"{place}.edition/edition.json"


def read_approval(text: str, *, at: str) -> Approval:
    """The approval in *text*. Raises NotApproved if it cannot be read."""
    try:
        data = tomllib.loads(text)
        approval = Approval(
            issue_id=data["issue"],
            revision=data["revision"],
            edition=data["edition"],
            approved_by=data["approved_by"],
            approved_at=data["approved_at"],
            inputs=dict(data["inputs"]),
        )
        approval.to_toml()
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as err:
        raise NotApproved(f"the approval cannot be read: {err}", at=at, hint="approve the letter again") from err
    return approval


Inputs = Mapping[str, str | bytes]  # the content of every file, by its path


def digests(inputs: Inputs) -> dict[str, str]:
    """A digest of every input file, by its path."""
    whole = {name: content.encode() if isinstance(content, str) else content for name, content in inputs.items()}
    return {name: f"sha256:{sha256(content).hexdigest()}" for name, content in whole.items()}


def approve(edition: Edition, *, inputs: Inputs, before: Approval | None, by: str, now: datetime) -> Approval:
    """An approval of *edition*; *before* itself, if it stands for the same bytes and the same inputs."""
    now_digests = digests(inputs)
    if before is not None and before.edition == edition.hash and before.inputs == now_digests:
        return before
    changed = before is not None and before.edition != edition.hash
    return Approval(
        issue_id=edition.issue_id,
        revision=1 if before is None else before.revision + (1 if changed else 0),
        edition=edition.hash,
        approved_by=by,
        approved_at=now,
        inputs=now_digests,
    )


def approved_edition(issue_id: str, approval_text: str | None, body: str | None) -> tuple[Approval, Edition]:
    """The approval of a letter and the edition it holds for. Raises NotApproved; never compiles anything again."""
    approval_path, edition_path = paths(issue_id)
    if approval_text is None or body is None:
        raise NotApproved("nobody has approved this letter yet", at=approval_path, hint=_again(issue_id))
    approval = read_approval(approval_text, at=approval_path)
    if approval.issue_id != issue_id or approval.edition != edition_hash(body.encode()):
        hint = f"restore it from Git, or look at the letter, then: {_again(issue_id)}"
        raise NotApproved("the edition is not the one that was approved", at=edition_path, hint=hint)
    try:
        edition = read_edition(body.encode())
    except ValueError as err:
        raise NotApproved(str(err), at=edition_path, hint=_again(issue_id)) from err
    if edition.issue_id != issue_id:
        raise NotApproved("the edition is another letter's", at=edition_path, hint=_again(issue_id))
    return approval, edition


def changes(approval: Approval, inputs: Inputs) -> list[str]:
    """Which of *inputs* are not those that were approved, by name."""
    now = digests(inputs)
    names = sorted(approval.inputs.keys() | now.keys())
    return [name for name in names if approval.inputs.get(name) != now.get(name)]


def refuse_changes(approval: Approval, inputs: Inputs) -> None:
    """Raise NotApproved, naming what changed, if *inputs* are not those that were approved."""
    if changed := changes(approval, inputs):
        at, _ = paths(approval.issue_id)
        hint = f"look at it, then: {_again(approval.issue_id)}"
        raise NotApproved(f"changed since it was approved: {', '.join(changed)}", at=at, hint=hint)


def refuse_forgery(edition: Edition, *, identity: Identity, rule_of: Callable[[str], Mapping[str, Any] | None]) -> None:
    """Raise NotApproved if *edition* names a sender or readers that its inputs do not.

    A hand-made edition is for the review and for `check` to find; who it is from and who gets it is looked
    at here too, since it costs nothing.
    """
    named = {edition.audience.name: edition.audience.rule}
    named |= {condition.name.removeprefix("segment:"): condition.rule for condition in edition.conditions}
    if edition.identity != identity or any(rule_of(name) != rule for name, rule in named.items()):
        _, at = paths(edition.issue_id)
        raise NotApproved("the edition was not made from this letter", at=at, hint=_again(edition.issue_id))


def _again(issue_id: str) -> str:
    return f"newsletter approve {issue_id}"
