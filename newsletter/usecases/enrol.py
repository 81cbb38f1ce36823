"""Enrol: people come onto the list, with evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from newsletter.audience.consent import Evidence
from newsletter.audience.importing import Entry, ImportCounts, Rejected
from newsletter.usecases.ports import Register

CHUNK = 1000  # rows per transaction: the list stays usable for others while a long import runs


@dataclass(slots=True)
class ImportReport:
    """What an import did: counts, and every row that was not taken, with the reason."""

    counts: ImportCounts
    rejected: list[Rejected]


def import_people(
    rows: Iterable[Entry | Rejected],
    *,
    people: Register,
    evidence: Evidence,
    now: datetime,
    watch: Callable[[int], None],
) -> ImportReport:
    """Enter everybody in *rows* who can be; running it again changes nothing. *watch* hears of rows done."""
    report = ImportReport(counts=ImportCounts(), rejected=[])
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        entries = [row for row in chunk if isinstance(row, Entry)]
        report.rejected += [row for row in chunk if isinstance(row, Rejected)]
        if entries:
            report.counts += people.enter(entries, evidence=evidence, now=now)
        watch(len(chunk))
    return report
