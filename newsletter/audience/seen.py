"""Whom a list has named so far, in little memory."""

from __future__ import annotations

from array import array

_ALL_BITS = (1 << 64) - 1
_SMALLEST = 1 << 10  # places; always a power of two


class Seen:
    """Words, each remembered as a number of 64 bits: 12 to 24 bytes a word, where a set takes 75 and more.

    Of a million words, two are taken for one with a chance of one in 30 million. The numbers are other ones in every
    process, so nobody can make words that collide.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._places = array("Q", [0]) * _SMALLEST
        self._count = 0

    def __contains__(self, word: str) -> bool:
        """Whether *word* was added."""
        return self._places[self._place(_number(word))] != 0

    def add(self, word: str) -> bool:
        """Remember *word*; whether it was new."""
        number = _number(word)
        place = self._place(number)
        if self._places[place]:
            return False
        self._places[place] = number
        self._count += 1
        if 3 * self._count > 2 * len(self._places):
            self._grow()
        return True

    def _place(self, number: int) -> int:
        """Where *number* is, or the empty place where it belongs."""
        places, last = self._places, len(self._places) - 1
        place = number & last
        while places[place] not in (0, number):
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        known, self._places = self._places, array("Q", [0]) * (2 * len(self._places))
        for number in filter(None, known):
            self._places[self._place(number)] = number


def _number(word: str) -> int:
    return hash(word) & _ALL_BITS or 1  # 0 is an empty place
