"""SPF (RFC 7208): who may hand over mail for a domain, read as receivers read it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from newsletter.sources.finding import Finding, error, fine, warning
from newsletter.sources.names import Names, Unanswered

MOST_QUESTIONS = 10  # beyond these, receivers give up: RFC 7208 §4.6.4
_ASKING = ("include", "a", "mx", "ptr", "exists")
_TERM = re.compile(r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?:[:/](.*))?", re.IGNORECASE)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE)
_WHAT = "SPF"


class _Wrong(Exception):
    """Receivers take the record for broken: what, and what to do."""

    def __init__(self, detail: str, fix: str) -> None:
        super().__init__(detail, fix)
        self.detail, self.fix = detail, fix


@dataclass(slots=True)
class _Reading:
    names: Names
    asked: int = 0
    rest: str = ""  # what the domain itself says of all others: + - ~ ?, empty if nothing
    path: list[str] = field(default_factory=list)


def examine(domain: str, names: Names, *, needed: bool) -> Finding:
    """What receivers make of the domain's SPF; without *needed*, the provider's own domain is what they ask for."""
    reading = _Reading(names)
    try:
        if not _records(domain, names):
            return _missing(domain, needed=needed)
        _read(domain, reading, decides=True)
    except Unanswered as err:
        return warning(_WHAT, f"{domain}: {err}", "look again later")
    except _Wrong as err:
        return error(_WHAT, f"{domain}: {err.detail}", err.fix)
    return _verdict(domain, reading)


def _records(domain: str, names: Names) -> list[str]:
    return [text for text in names.texts(domain) if text.lower().split(" ")[0] == "v=spf1"]


def _missing(domain: str, *, needed: bool) -> Finding:
    detail = f"{domain} has no record"
    if needed:
        fix = f'publish one TXT record at {domain}: "v=spf1 … -all", with what your server or provider tells you'
        return error(_WHAT, detail, fix)
    return warning(
        _WHAT,
        f"{detail}; the provider's own return path may have one",
        "publish what the provider asks for; Gmail, Yahoo and Microsoft want SPF and DKIM",
    )


def _verdict(domain: str, reading: _Reading) -> Finding:
    said = f"{domain}, one record, {reading.asked} of {MOST_QUESTIONS} lookups, {reading.rest or '?'}all"
    if reading.rest == "+":
        return error(_WHAT, said, "+all lets everybody send in your name: end the record with -all or ~all")
    if reading.rest not in ("-", "~"):
        return warning(_WHAT, f"{said}: says nothing about strangers", "end the record with -all or ~all")
    return fine(_WHAT, said)


def _read(domain: str, reading: _Reading, *, decides: bool) -> None:
    """Count the questions a receiver has to ask. Raises _Wrong where it would give up.

    The `all` of the record that *decides* is the domain's word about strangers; that of an included one is not.
    """
    if domain in reading.path:
        raise _Wrong(f"{domain} leads back to itself", "take the circle out")
    records = _records(domain, reading.names)
    if len(records) != 1:
        count = "two records or more" if records else "no record"
        if reading.path:
            raise _Wrong(f"it leads to {domain}, which has {count}", "take it out, or write it as the provider says")
        raise _Wrong(count, "receivers take none of them: put all into one record")
    reading.path.append(domain)
    _read_terms(records[0].split()[1:], reading, decides=decides)
    reading.path.pop()


def _read_terms(terms: list[str], reading: _Reading, *, decides: bool) -> None:
    redirect = ""
    for term in terms:
        found = _TERM.fullmatch(term)
        if found:
            kind, target = found[2].lower(), found[3] or ""
            if kind == "all":
                reading.rest = (found[1] or "+") if decides else reading.rest
                return  # what stands behind it is never read, nor is a redirect
            if kind in _ASKING:
                _count(reading)
            if kind == "include":
                _go_on(target, reading, decides=False)
        elif modifier := _MODIFIER.fullmatch(term):
            redirect = modifier[2] if modifier[1].lower() == "redirect" else redirect
        else:
            word = ascii(re.split(r"[:=/@]", term)[0][:30])
            raise _Wrong(f"{word} means nothing", "correct the word; with it, the whole record counts for nothing")
    if redirect:
        _count(reading)
        _go_on(redirect, reading, decides=decides)


def _go_on(target: str, reading: _Reading, *, decides: bool) -> None:
    if "%" not in target:  # a macro depends on who is mailed
        _read(target.lower().rstrip("."), reading, decides=decides)


def _count(reading: _Reading) -> None:
    reading.asked += 1
    if reading.asked > MOST_QUESTIONS:
        raise _Wrong(
            f"it takes more than {MOST_QUESTIONS} lookups, and receivers give up",
            "take out what no longer sends for you (include:, a, mx)",
        )
