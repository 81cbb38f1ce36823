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
    path: list[str] = field(default_factory=list)


def examine(domain: str, names: Names, *, needed: bool) -> Finding:
    """What receivers make of the domain's SPF; without *needed*, the provider's own domain is what they ask for."""
    reading = _Reading(names)
    try:
        if not _records(domain, names):
            return _missing(domain, needed=needed)
        rest = _read(domain, reading)
    except Unanswered as err:
        return warning(_WHAT, f"{domain}: {err}", "look again later")
    except _Wrong as err:
        return error(_WHAT, f"{domain}: {err.detail}", err.fix)
    return _verdict(domain, reading.asked, rest)


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


def _verdict(domain: str, asked: int, rest: str) -> Finding:
    said = f"{domain}, one record, {asked} of {MOST_QUESTIONS} lookups, {rest}all"
    if rest == "+":
        return error(_WHAT, said, "+all lets everybody send in your name: end the record with -all or ~all")
    if rest not in ("-", "~"):
        return warning(_WHAT, f"{said}: says nothing about strangers", "end the record with -all or ~all")
    return fine(_WHAT, said)


def _read(domain: str, reading: _Reading) -> str:
    """What a record says of strangers (+ - ~ ?); counts the lookups. Raises _Wrong where a receiver would give up."""
    if domain in reading.path:
        raise _Wrong(f"{domain} leads back to itself", "take the circle out")
    records = _records(domain, reading.names)
    if len(records) != 1:
        count = "two records or more" if records else "no record"
        if reading.path:
            raise _Wrong(f"it leads to {domain}, which has {count}", "take it out, or write it as the provider says")
        raise _Wrong(count, "receivers take none of them: put all into one record")
    reading.path.append(domain)
    rest = _read_terms(records[0].split()[1:], reading)
    reading.path.pop()
    return rest


def _read_terms(terms: list[str], reading: _Reading) -> str:
    redirect = ""
    for term in terms:
        found = _TERM.fullmatch(term)
        if found:
            sign, kind, target = found[1] or "+", found[2].lower(), found[3] or ""
            if kind == "all":
                return sign  # what stands behind it is never read, nor is a redirect
            if kind in _ASKING:
                _count(reading)
            if kind == "include" and _go_on(target, reading) == sign == "+":
                raise _Wrong(f"it includes {target}, which lets everybody in", "take it out")
        elif modifier := _MODIFIER.fullmatch(term):
            redirect = modifier[2] if modifier[1].lower() == "redirect" else redirect
        else:
            word = ascii(re.split(r"[:=/@]", term)[0][:30])
            raise _Wrong(f"{word} means nothing", "correct the word; with it, the whole record counts for nothing")
    if not redirect:
        return "?"
    _count(reading)
    return _go_on(redirect, reading)


def _go_on(target: str, reading: _Reading) -> str:
    if "%" in target:  # a macro: it depends on who is mailed
        return "~"
    if not re.fullmatch(r"[a-z0-9_.-]+", target, re.IGNORECASE):
        raise _Wrong("a part of it leads to what is no domain", "write include: and the domain your provider says")
    return _read(target.lower().rstrip("."), reading)


def _count(reading: _Reading) -> None:
    reading.asked += 1
    if reading.asked > MOST_QUESTIONS:
        raise _Wrong(
            f"it takes more than {MOST_QUESTIONS} lookups, and receivers give up",
            "take out what no longer sends for you (include:, a, mx)",
        )
