"""The part of GitHub's expressions that our workflows use; anything else is an error, and never guessed.

docs.github.com/actions/reference/workflows-and-actions/expressions, read 2026-11-21.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(-?\d+(?:\.\d+)?)|([A-Za-z_][\w-]*(?:\.[\w-]+)*)|(==|!=|&&|\|\||[!(),]))")
_FUNCTIONS = {"success", "failure", "always", "cancelled"}


class Unknown(Exception):
    """Something that this reader does not know."""


def evaluate(text: str, context: Mapping[str, Any], *, status: str = "success") -> Any:
    """The value of an expression; *status* is that of the steps, or the jobs, before."""
    tokens = []
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if not found:
            raise Unknown(text[at:])
        tokens.append((found.lastindex, found[found.lastindex or 0]))
        at = found.end()
    reader = _Reader(tokens, context, status)
    value = reader.alternatives()
    if reader.tokens:
        raise Unknown(str(reader.tokens))
    return value


def fill(text: str, context: Mapping[str, Any]) -> str:
    """*text* with every `${{ … }}` replaced by its value, as GitHub writes it."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: shown(evaluate(found[1], context)), text)


def shown(value: Any) -> str:
    """A value as text."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def holds(condition: str | bool | None, context: Mapping[str, Any], *, status: str) -> bool:
    """Whether a job or a step runs: `success()` is meant where no word about the status is said."""
    text = "success()" if condition is None else shown(condition).strip()
    text = text.removeprefix("${{").removesuffix("}}").strip()
    if not re.search(rf"\b({'|'.join(_FUNCTIONS)})\(\)", text):
        text = f"success() && ({text})"
    return bool(evaluate(text, context, status=status))


class _Reader:
    def __init__(self, tokens: list[tuple[int | None, str]], context: Mapping[str, Any], status: str) -> None:
        self.tokens, self._context, self._status = tokens, context, status

    def alternatives(self) -> Any:
        value = self._both()
        while self._next_is("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._comparison()
        while self._next_is("&&"):
            other = self._comparison()
            value = value and other
        return value

    def _comparison(self) -> Any:
        value = self._one()
        for sign in ("==", "!="):
            if self._next_is(sign):
                return _same(value, self._one()) is (sign == "==")
        return value

    def _one(self) -> Any:
        if self._next_is("!"):
            return not self._one()
        if self._next_is("("):
            value = self.alternatives()
            self._expect(")")
            return value
        if not self.tokens:
            raise Unknown("nothing")
        kind, word = self.tokens.pop(0)
        if kind == 1:
            return word[1:-1].replace("''", "'")
        if kind == 2:
            return float(word)
        if kind == 3 and self._next_is("("):
            self._expect(")")
            return self._asked(word)
        if kind == 3:
            return {"true": True, "false": False, "null": None}.get(word, self._found(word))
        raise Unknown(word)

    def _asked(self, word: str) -> bool:
        if word not in _FUNCTIONS:
            raise Unknown(word)
        return word == "always" or self._status == {"cancelled": "cancelled"}.get(word, word)

    def _found(self, path: str) -> Any:
        first, *rest = path.split(".")
        if first not in self._context and path not in ("true", "false", "null"):
            raise Unknown(path)
        value: Any = self._context.get(first)
        for name in rest:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def _next_is(self, sign: str) -> bool:
        if self.tokens and self.tokens[0] == (4, sign):
            del self.tokens[0]
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._next_is(sign):
            raise Unknown(f"no {sign}")


def _same(one: Any, other: Any) -> bool:
    """Texts are compared without regard to case; nothing equals the empty text, as both are nought."""
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    return (one or "") == (other or "")
