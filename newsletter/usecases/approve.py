"""Approve: freeze a letter as compiled, beside its source, so that what was approved is what is sent."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from newsletter.errors import NotApproved
from newsletter.rendering.edition import Edition, edition_hash, read_edition


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
    """Where a letter's approval and its frozen edition are kept."""
    return f"issues/{issue_id}.approval.toml", f"issues/{issue_id}.edition/edition.json"


def read_approval(text: str, *, at: str) -> Approval:
    """The approval in *text*. Raises NotApproved if it cannot be read."""
    try:
        data = tomllib.loads(text)
        return Approval(
            issue_id=data["issue"],
            revision=data["revision"],
            edition=data["edition"],
            approved_by=data["approved_by"],
            approved_at=data["approved_at"],
            inputs=data["inputs"],
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as err:
        raise NotApproved(f"the approval cannot be read: {err}", at=at, hint="approve the letter again") from err


def digests(inputs: Mapping[str, str]) -> dict[str, str]:
    """A digest of every input file, by its path."""
    return {name: f"sha256:{sha256(text.encode()).hexdigest()}" for name, text in inputs.items()}


def approve(
    edition: Edition, *, inputs: Mapping[str, str], before: Approval | None, by: str, now: datetime
) -> Approval:
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


def approved_edition(
    issue_id: str, approval_text: str | None, body: str | None, inputs: Mapping[str, str]
) -> tuple[Approval, Edition]:
    """The edition that was approved, if it is whole and nothing it was made from changed since.

    Raises NotApproved naming what changed; never compiles anything again.
    """
    approval_path, edition_path = paths(issue_id)
    again = f"newsletter approve {issue_id}"
    if approval_text is None or body is None:
        raise NotApproved("nobody has approved this letter yet", at=f"issues/{issue_id}.md", hint=again)
    approval = read_approval(approval_text, at=approval_path)
    if approval.issue_id != issue_id or approval.edition != edition_hash(body.encode()):
        raise NotApproved(
            "the edition is not the one that was approved",
            at=edition_path,
            hint=f"restore it from Git, or look and approve again: {again}",
        )
    now_digests = digests(inputs)
    changed = sorted(
        name
        for name in approval.inputs.keys() | now_digests.keys()
        if approval.inputs.get(name) != now_digests.get(name)
    )
    if changed:
        raise NotApproved(
            f"changed since it was approved: {', '.join(changed)}",
            at=approval_path,
            hint=f"look at it and approve again: {again}",
        )
    try:
        return approval, read_edition(body.encode())
    except ValueError as err:
        raise NotApproved(str(err), at=edition_path, hint=again) from err
