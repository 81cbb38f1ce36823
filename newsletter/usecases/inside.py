"""Pictures inside the message, which not every provider takes."""

from __future__ import annotations

from newsletter.errors import IssueHasProblems
from newsletter.rendering.edition import Edition

NO_INSIDE = "its pictures travel inside the message, and this provider takes only the HTML"
NO_INSIDE_HINT = "set [images] inline = false and approve it, or send by smtp"


def refuse_inside(edition: Edition, *, takes_whole: bool) -> None:
    """Raise IssueHasProblems if the pictures of *edition* travel in a way that the provider does not take."""
    if edition.has_inside and not takes_whole:
        raise IssueHasProblems(NO_INSIDE, at=edition.issue_id, hint=NO_INSIDE_HINT)
