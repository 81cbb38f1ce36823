"""A theme's colours and words, as theme.toml has them: whether they can be read, and whether they are all there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from newsletter.content.issue import Level
from newsletter.rendering.theme_files import TEMPLATES, Found, Lint, ThemeFiles, line_at
from newsletter.rendering.theme_styles import BASE, CLIENT, attribute_styles, declarations

TOML = "theme.toml"
LIGHTS = ("light", "dark")
ENOUGH, ENOUGH_LARGE = 4.5, 3.0  # WCAG 2.2, 1.4.3: text, and text of 24 px or 18.66 px bold
_COLOUR = re.compile(r"#[0-9a-f]{6}")


def contrast(one: str, other: str) -> float:
    """How well two colours stand apart, 1 to 21. https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    dim, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dim + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _colours(theme: ThemeFiles, light: str) -> Mapping[str, str]:
    found = theme.toml.get("colours", {}).get(light, {})
    return {name: value for name, value in found.items() if isinstance(value, str) and _COLOUR.fullmatch(value)}


def _line(theme: ThemeFiles, table: str, key: str = "") -> int:
    """Where a table of theme.toml, or a key of it, stands; 0 if it does not."""
    text = theme.files[TOML]
    begin = re.search(rf"^\s*\[{re.escape(table)}\]", text, re.MULTILINE)
    if begin is None:
        return 0
    found = re.compile(rf"^\s*\"?{re.escape(key)}\"?\s*=", re.MULTILINE).search(text, begin.end()) if key else None
    return line_at(text, found.end() if found else begin.end())


def _palette(theme: ThemeFiles) -> Iterator[Found]:
    tables = {light: theme.toml.get("colours", {}).get(light, {}) for light in LIGHTS}
    for light, table in tables.items():
        for name, value in table.items():
            if name not in _colours(theme, light):
                hint = "six hexadecimal digits in lower case"
                yield Found(TOML, _line(theme, f"colours.{light}", name), f"{name} = {value!r} is no colour", hint)
        for name in tables["dark" if light == "light" else "light"]:
            if name not in table:
                hint = "the names are the same in both tables"
                yield Found(TOML, _line(theme, f"colours.{light}"), f"[colours.{light}] has no {name}", hint)


def _off_palette(theme: ThemeFiles) -> Iterator[Found]:
    """A colour that theme.toml does not know is one whose contrast nobody reckoned."""
    light, dark = (set(_colours(theme, each).values()) for each in LIGHTS)
    written = [(file, each.line, each.value, light) for file, each in declarations(theme, BASE)]
    written += [(file, each.line, each.value, light | dark) for file, each in declarations(theme, CLIENT)]
    written += [(file, each.line, each.value, light) for file, each in attribute_styles(theme)]
    for file, tag in theme.every():
        written += [(file, tag.line, tag.attributes.get(name, ""), light) for name in ("bgcolor", "fillcolor")]
    for file, line, value, known in written:
        for colour in re.findall(r"#[0-9a-fA-F]{6}\b", value):
            if colour.lower() not in known:
                table = "either table of colours" if file == CLIENT else "[colours.light]"
                yield Found(file, line, f"{colour} is not in {table}", f"name it in {TOML}, and the pairs it is in")


def _contrast(theme: ThemeFiles) -> Iterator[Found]:
    pairs = theme.toml.get("pairs", [])
    begin = [line_at(theme.files[TOML], each.start()) for each in re.finditer(r"\[\[pairs\]\]", theme.files[TOML])]
    if not pairs:
        yield Found(TOML, 0, "there are no [[pairs]]", "name every text colour and what it stands on")
    for number, pair in enumerate(pairs):
        line = begin[number] if number < len(begin) else 0
        front, back = str(pair.get("foreground", "")), str(pair.get("background", ""))
        wanted = ENOUGH_LARGE if pair.get("large") else ENOUGH
        for light in LIGHTS:
            colours = _colours(theme, light)
            if front not in colours or back not in colours:
                missing = front if front not in colours else back
                yield Found(TOML, line, f"[colours.{light}] has no {missing!r}", "a pair names two of its colours")
                continue
            ratio = contrast(colours[front], colours[back])
            if ratio < wanted:
                what = f"{front} on {back} is {ratio:.2f} to 1 in the {light} colours"
                yield Found(TOML, line, what, f"at least {wanted} to 1: make one of them darker or lighter")


def _used_words(theme: ThemeFiles) -> Iterator[Found]:
    known = theme.toml.get("words", {}).get("en", {})
    for file in (*TEMPLATES, "page.txt.j2", "blocks.txt.j2"):
        text = theme.files[file]
        for found in re.finditer(r"\bwords\.(\w+)", text):
            if found[1] not in known:
                hint = f"add it to [words.en] in {TOML}"
                yield Found(file, line_at(text, found.start()), f"there is no word {found[1]!r}", hint)


def _languages(theme: ThemeFiles) -> Iterator[Found]:
    tables = theme.toml.get("words", {})
    english = tables.get("en", {})
    for language, words in tables.items():
        line = _line(theme, f"words.{language}")
        for name in english:
            if name not in words and "-" not in language:  # a region need only say what it says otherwise
                hint = f"it would stand there in English: {english[name]!r}"
                yield Found(TOML, line, f"[words.{language}] has no {name!r}", hint)
        for name in words:
            if name not in english:
                line = _line(theme, f"words.{language}", name)
                yield Found(TOML, line, f"no template says {name!r}", "delete it, or add it to [words.en] too")


LINTS = (
    Lint(id="theme-palette", about="A colour that is none, or in one light only.", find=_palette),
    Lint(id="theme-off-palette", about="A colour that `theme.toml` does not name.", find=_off_palette),
    Lint(id="theme-contrast", about="Text below 4.5 to 1 (large: 3 to 1), by day or in the dark.", find=_contrast),
    Lint(id="theme-word", about="A word that the templates say and `theme.toml` lacks.", find=_used_words),
    Lint(
        id="theme-translation",
        about="A language that lacks words, or has too many.",
        find=_languages,
        level=Level.WARNING,
    ),
)
