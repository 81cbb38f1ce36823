"""Days that follow the moon or an old calendar: on which dates of ours they fall.

The tables are those of the package holidays; Easter is that of python-dateutil, which holidays itself asks.
Where a month begins when the new moon is seen, they have the reckoned day.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache


def _easter(year: int) -> list[date]:
    from dateutil.easter import easter  # type: ignore[import-untyped]  # noqa: PLC0415

    return [easter(year)]


def _orthodox_easter(year: int) -> list[date]:
    from dateutil.easter import EASTER_ORTHODOX, easter  # noqa: PLC0415

    return [easter(year, EASTER_ORTHODOX)]


def _hijri(name: str) -> Callable[[int], list[date]]:
    def days(year: int) -> list[date]:
        from holidays.calendars.islamic import _IslamicLunar  # noqa: PLC0415

        # It gives the year before as well. A year of ours may hold a day twice, eleven days short of a year apart.
        found = getattr(_IslamicLunar(), f"{name}_dates")(year)
        return sorted(day for day, _ in found if day.year == year)

    return days


def _hebrew(name: str) -> Callable[[int], list[date]]:
    def days(year: int) -> list[date]:
        from holidays.calendars.hebrew import _HebrewLunisolar  # noqa: PLC0415

        found = getattr(_HebrewLunisolar(), f"{name}_date")(year) or set()
        return sorted(day for day in ({found} if isinstance(found, date) else found) if day.year == year)

    return days


def _hindu(name: str) -> Callable[[int], list[date]]:
    def days(year: int) -> list[date]:
        from holidays.calendars.hindu import _HinduLunisolar  # noqa: PLC0415

        day, _ = getattr(_HinduLunisolar(), f"{name}_date")(year)
        return [day] if day else []

    return days


def _lunar_new_year(year: int) -> list[date]:
    from holidays.calendars.chinese import _ChineseLunisolar  # noqa: PLC0415

    day, _ = _ChineseLunisolar().lunar_new_year_date(year)
    return [day] if day else []


_DAYS: dict[str, Callable[[int], list[date]]] = {
    "easter": _easter,
    "orthodox easter": _orthodox_easter,
    "ramadan": _hijri("ramadan_beginning"),
    "eid al-fitr": _hijri("eid_al_fitr"),
    "eid al-adha": _hijri("eid_al_adha"),
    "passover": _hebrew("passover"),
    "rosh hashanah": _hebrew("rosh_hashanah"),
    "yom kippur": _hebrew("yom_kippur"),
    "hanukkah": _hebrew("hanukkah"),
    # Its plain `diwali` is Singapore's, and a month late in some years.
    "diwali": _hindu("diwali_india"),
    "lunar new year": _lunar_new_year,
}

MOVABLE = tuple(_DAYS)


@cache
def movable_days(name: str, year: int) -> tuple[date, ...]:
    """The dates on which *name*, one of MOVABLE, falls or begins in *year*; none where no table reaches."""
    return tuple(_DAYS[name](year))
