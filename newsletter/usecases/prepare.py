"""Prepare: freeze the edition and the audience, and write down who is due when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from newsletter.audience.segments import from_data
from newsletter.content.issue import Problem, Span
from newsletter.delivery.plan import Forecast, Plan, PlannedIssue
from newsletter.errors import IssueHasProblems
from newsletter.rendering.edition import Edition
from newsletter.schedule import due_at, due_by_zone
from newsletter.usecases.ports import Editions, People, Planner


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a plan would be, before anybody says yes. `problems` keep it from being written."""

    issue_id: str
    revision: int
    forecast: Forecast
    too_late: int  # of the planned, people for whom its time is past already
    problems: tuple[Problem, ...]


def plan_for(edition: Edition, *, revision: int, zones: list[str], fallback_zone: str) -> Plan:
    """The plan of *edition*: every zone's instant, and one for readers whose zone is unknown."""
    day, at = date.fromisoformat(edition.send_day), time.fromisoformat(edition.send_at)
    only = edition.send_zone or None
    return Plan(
        issue_id=edition.issue_id,
        revision=revision,
        edition_hash=edition.hash,
        audience=from_data(edition.audience.rule),
        due=due_by_zone(day, at, zones, only=only),
        due_elsewhere=due_at(day, at, only or fallback_zone),
    )


def look_ahead(
    edition: Edition, plan: Plan, *, planner: Planner, people: People, now: datetime, window: timedelta
) -> Outlook:
    """Who would get the letter and when, and what is in the way; writes nothing."""
    forecast = planner.forecast(plan, now=now)
    lacking = people.lacking(edition.needs, audience=plan.audience, now=now) if edition.needs else {}
    return Outlook(
        issue_id=edition.issue_id,
        revision=plan.revision,
        forecast=forecast,
        too_late=sum(count for due, count in forecast.due.items() if due <= now - window),
        problems=(*gaps(edition.needs, lacking), *_for_nobody(edition, forecast, last=now - window)),
    )


def _for_nobody(edition: Edition, forecast: Forecast, *, last: datetime) -> Iterator[Problem]:
    """A problem if the plan would stand for ever and bring the letter to no one."""
    at = Span(f"issues/{edition.issue_id}.md")
    if not forecast.planned:
        yield Problem(at=at, what="nobody would get it", hint="who is on the list: newsletter subscribers stats")
    elif max(forecast.due) <= last:
        hint = "correct send: and approve it again, or make [schedule] window_hours longer"
        yield Problem(at=at, what="its time is past for everyone", hint=hint)


def its_time_has_come(forecast: Forecast, *, approved_at: datetime, veto: timedelta, now: datetime) -> bool:
    """Whether the first of these readers is due, and those who may object to the letter have had their *veto*.

    Where there is no reader it has come too, so that it is told.
    """
    return has_been_heard(approved_at, veto=veto, now=now) and min(forecast.due, default=now) <= now


def has_been_heard(approved_at: datetime, *, veto: timedelta, now: datetime) -> bool:
    """Whether those who may object to what was approved have had their *veto*."""
    return not veto or approved_at + veto <= now


def write_plan(
    edition: Edition,
    plan: Plan,
    outlook: Outlook,
    *,
    planner: Planner,
    editions: Editions,
    canary: int,
    now: datetime,
) -> PlannedIssue:
    """The plan that *outlook* is of, written; the first one, if there was one. Raises IssueHasProblems at the gate.

    The first *canary* people of it are spread over the list.
    """
    refuse_problems(outlook)
    earliest = min(outlook.forecast.due)
    plan = replace(plan, stride=max(1, outlook.forecast.due[earliest] // canary) if canary else 1)
    editions.put(plan.edition_hash, edition.to_bytes(), issue_id=plan.issue_id, now=now)
    return planner.write(plan, now=now)


def refuse_problems(outlook: Outlook) -> None:
    """Raise IssueHasProblems where something keeps a plan from being written."""
    for problem in outlook.problems:
        raise IssueHasProblems(problem.what, at=str(problem.at), hint=problem.hint)


def refuse_other_plan(old: Edition, new: Edition, outlook: Outlook) -> None:
    """Raise IssueHasProblems where a correction would need another plan, or has a gap for somebody.

    Who gets the letter and when is frozen: a correction changes what it says.
    """
    for what, before, after in (
        ("send:", (old.send_day, old.send_at, old.send_zone), (new.send_day, new.send_at, new.send_zone)),
        ("audience:", old.audience.rule, new.audience.rule),
    ):
        if before != after:
            raise IssueHasProblems(
                f"the correction has another {what}",
                at=f"issues/{new.issue_id}.md",
                hint=f"put {what} back and approve again, or cancel this letter and send a new one",
            )
    for problem in outlook.problems:
        if problem.at.line:
            raise IssueHasProblems(problem.what, at=str(problem.at), hint=problem.hint)


def gaps(needs: Mapping[str, str], lacking: Mapping[str, int]) -> list[Problem]:
    """A problem for every field that is shown without a fallback and that somebody lacks."""
    problems = []
    for name, where in needs.items():
        if lacking.get(name):
            path, _, line = where.rpartition(":")
            fallback = "friend" if name == "first_name" else "…"
            problems.append(
                Problem(
                    at=Span(path, int(line)),
                    what=f"{lacking[name]:,} reader{'s have' if lacking[name] != 1 else ' has'} no {name!r}",
                    hint=f"give it a fallback: {{{{ {name} | default('{fallback}') }}}}",
                )
            )
    return problems
