"""Days and times in the words of a letter's language; never by the locale of the machine that renders."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_timezone_location

from newsletter.content.frontmatter import is_zone

# English without a country is read everywhere: the day before the month, and the clock to 24.
_WORLD_ENGLISH = "en_150"
# Unicode's own pattern is a title in English ("Berlin Time") and brings brackets of its own in German.
_PLACE_TIME = {"en": "{} time", "de": "Ortszeit {}"}


def long_date(day: date, language: str) -> str:
    """A day in words, e.g. Monday, 23 November 2026."""
    return format_date(day, "full", locale=_locale(language))


def when(value: str, language: str) -> str | None:
    """`2026-12-03 17:00 Europe/Berlin` in words, "" for nothing, None if it is no such date."""
    if not value:
        return ""
    stamp, _, zone = value.rpartition(" ") if "/" in value or value.endswith("UTC") else (value, "", "")
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    if zone and not is_zone(zone):
        return None
    day = long_date(moment, language)
    if ":" not in stamp:
        return day
    locale = _locale(language)
    clock = format_time(moment.time(), "short", locale=locale)
    together = str(locale.datetime_formats["long"]).replace("{1}", day).replace("{0}", clock)
    return f"{together} ({_place_time(zone, locale)})" if zone else together


def _place_time(zone: str, locale: Locale) -> str:
    if "/" not in zone:
        return zone
    city = get_timezone_location(ZoneInfo(zone), locale=locale, return_city=True).rpartition("/")[2]
    pattern = _PLACE_TIME.get(locale.language) or locale.zone_formats["region"].replace("%s", "{}")
    return pattern.format(city)


@cache
def _locale(language: str) -> Locale:
    """What is known of *language*; of less and less of its tag, and English where nothing is."""
    parts = language.split("-")
    while parts != ["en"] and parts:
        try:
            return Locale.parse("-".join(parts), sep="-")
        except (UnknownLocaleError, ValueError):
            parts.pop()
    return Locale.parse(_WORLD_ENGLISH)
