"""A page as a browser's parser sees it: its elements, what is hidden, what is read, and what only Outlook sees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import html5lib

CONDITIONAL = re.compile(r"<!--\[if ([^\]]*)\]>(.*?)<!\[endif\]-->", re.DOTALL)
_UNREAD = frozenset({"script", "style", "head", "title", "template", "noscript"})
_RULE = re.compile(r"(?P<selector>[^{}]+)\{(?P<body>[^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a style sheet: the at-rule around it ("" without one), its selector and its declarations."""

    around: str
    selector: str
    declarations: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """The HTML of a letter, read by html5lib."""

    source: str

    @cached_property
    def _parsed(self) -> tuple[Any, list[str]]:
        parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("lxml"), namespaceHTMLElements=False)
        tree = parser.parse(self.source)
        return tree.getroot(), [f"{code} at line {at[0]}" for at, code, _ in parser.errors]

    @property
    def root(self) -> Any:
        return self._parsed[0]

    @property
    def errors(self) -> list[str]:
        """html5lib's parse errors; the HTML standard gives each its name."""
        return self._parsed[1]

    @cached_property
    def elements(self) -> tuple[Any, ...]:
        """All elements, in the order of the page."""
        return tuple(self.root.iter("*"))

    def all(self, *tags: str) -> list[Any]:
        """The elements of these kinds."""
        return [element for element in self.elements if element.tag in tags]

    @cached_property
    def body(self) -> Any:
        return self.root.find("body")

    @cached_property
    def skeleton(self) -> tuple[tuple[str, ...], ...]:
        """Every element with the names of its attributes: what a value must never change."""
        return tuple((element.tag, *sorted(element.attrib)) for element in self.elements)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words a reader sees, in order; the hidden line for the inbox is none of them."""
        return tuple(words_of(" ".join(text for _, text in texts(self.body, seen=True))))

    @cached_property
    def prose(self) -> str:
        """Everything a reader sees, on one line."""
        return " ".join("".join(text for _, text in texts(self.body, seen=True)).split())

    @cached_property
    def conditionals(self) -> tuple[tuple[str, str], ...]:
        """(condition, content) of every comment that only Outlook reads."""
        every = tuple((found[1], found[2]) for found in CONDITIONAL.finditer(self.source))
        return tuple((condition, content) for condition, content in every if not condition.startswith("!"))

    @cached_property
    def styles(self) -> tuple[str, ...]:
        """The content of every live style element."""
        return tuple(element.text or "" for element in self.all("style"))

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of all style elements, those for Outlook included."""
        hidden_styles = [
            style
            for _, content in self.conditionals
            for style in re.findall(r"<style[^>]*>(.*?)</style>", content, re.DOTALL)
        ]
        return tuple(rule for css in (*self.styles, *hidden_styles) for rule in rules_of(css))


@lru_cache(maxsize=256)
def page_of(source: str) -> Page:
    """The page with this source, read once."""
    return Page(source)


def rules_of(css: str, around: str = "") -> Iterator[Rule]:
    """The rules of a style sheet, each with the at-rules around it."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    position = 0
    while found := re.compile(r"\s*([^{};]+)\{|\s*@[^{};]+;").match(css, position):
        if found[1] is None:
            yield Rule(around, found[0].strip(), ())
            position = found.end()
            continue
        end, depth = found.end(), 1
        while depth and end < len(css):
            depth += {"{": 1, "}": -1}.get(css[end], 0)
            end += 1
        content, prelude = css[found.end() : end - 1], found[1].strip()
        if prelude.startswith("@"):
            yield from rules_of(content, f"{around} {prelude}".strip())
        else:
            yield Rule(around, prelude, tuple(part.strip() for part in content.split(";") if part.strip()))
        position = end


def style_of(element: Any) -> dict[str, str]:
    """The style attribute: property → value, the last one winning."""
    pairs = (part.partition(":") for part in element.get("style", "").split(";"))
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def hides(element: Any) -> bool:
    """Whether an element makes its content invisible by itself."""
    if "hidden" in element.attrib:
        return True
    if "style" not in element.attrib:
        return False
    style = {name: value.lower() for name, value in style_of(element).items()}
    return (
        style.get("display") == "none"
        or style.get("visibility") in ("hidden", "collapse")
        or any(re.fullmatch(r"0(\.0*)?(px|em|rem|%|pt)?", style.get(name, "")) for name in ("font-size", "opacity"))
        or (
            style.get("overflow") == "hidden"
            and any(style.get(n, "") in ("0", "0px") for n in ("max-height", "height"))
        )
        or bool(re.match(r"-\d", style.get("text-indent", "")))
    )


def texts(element: Any, *, seen: bool = False) -> Iterator[tuple[Any, str]]:
    """Every run of text below *element* (only what can be *seen*) with its element; pictures speak by their alt."""
    if not isinstance(element.tag, str) or element.tag in _UNREAD or (seen and hides(element)):
        return
    if element.tag == "img":
        yield element, f" {element.get('alt', '')} "
    if element.tag == "br":
        yield element, "\n"
    if element.text:
        yield element, element.text
    for child in element:
        yield from texts(child, seen=seen)
        if child.tail:
            yield element, child.tail


def words_of(text: str) -> list[str]:
    """The words of a text, for comparing: letters and digits only, whatever their case."""
    return re.findall(r"[^\W_]+", text.casefold())
