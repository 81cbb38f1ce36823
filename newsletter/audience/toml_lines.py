"""On which line of a TOML text each key and each element of a list stands; tomllib does not say.

Only for texts that tomllib has read: what it refuses is not looked for here.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter

Place = tuple[str | int, ...]  # keys, and the indexes of elements

_GAP = re.compile(r"(?:[\s,]|#[^\n]*)*")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")
_BLANK = re.compile(r"[ \t]*")


def lines_of(text: str) -> dict[Place, int]:
    """The line, from 1, of every key and element in *text*; of one that is spread over several, the first."""
    return _Scan(text.replace("\r\n", "\n")).document()


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted, self._line = 0, 1  # line number at an offset, so that each newline is counted once
        self._found: dict[Place, int] = {}
        self._tables: Counter[Place] = Counter()  # how many [[…]] there were

    def document(self) -> dict[Place, int]:
        around: Place = ()
        while self._skip(_GAP) < len(self._text):
            line = self._line_here()
            if self._text[self._at] == "[":
                around = self._header(line)
            else:
                self._pair(around)
        return self._found

    def _header(self, line: int) -> Place:
        many = self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        name = self._key()
        self._at += 2 if many else 1
        place = self._within_latest(name)
        if many:
            place = (*place, self._tables[place])
            self._tables[place[:-1]] += 1
        for length in range(1, len(place) + 1):
            self._found.setdefault(place[:length], line)
        return place

    def _within_latest(self, name: Place) -> Place:
        """The place that a header names: inside the last element of every [[…]] on the way to it."""
        place: Place = ()
        for number, key in enumerate(name, start=1):
            place = (*place, key)
            if number < len(name) and self._tables[place]:
                place = (*place, self._tables[place] - 1)
        return place

    def _pair(self, around: Place) -> None:
        line, place = self._line_here(), around
        for key in self._key():
            place = (*place, key)
            self._found.setdefault(place, line)
        self._at += 1  # =
        self._skip(_BLANK)
        self._value(place)

    def _key(self) -> Place:
        keys: list[str] = []
        while True:
            self._skip(_BLANK)
            quoted = self._text[self._at] in "\"'"
            start = self._at
            self._skip(_STRING if quoted else _BARE_KEY)
            word = self._text[start : self._at]
            keys.append(tomllib.loads(f"key = {word}")["key"] if quoted else word)
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return tuple(keys)
            self._at += 1

    def _value(self, place: Place) -> None:
        sign = self._text[self._at]
        if sign == "{":
            self._at += 1
            while self._skip(_GAP) >= 0 and self._text[self._at] != "}":
                self._pair(place)
            self._at += 1
        elif sign == "[":
            self._at += 1
            number = 0
            while self._skip(_GAP) >= 0 and self._text[self._at] != "]":
                self._found.setdefault((*place, number), self._line_here())
                self._value((*place, number))
                number += 1
            self._at += 1
        else:
            self._skip(_STRING if sign in "\"'" else _BARE_VALUE)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line
