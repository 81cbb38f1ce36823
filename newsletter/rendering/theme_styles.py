"""What premailer or a mail client would make of a theme's style sheets.

base.css is written into style attributes, so it holds nothing but plain rules; client.css is kept as it is, for
clients that read a style sheet, and has to win over those attributes. What is refused was measured (premailer
3.10.0) or read in the tables of caniemail.com (2026-06).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.rendering.sheet import Declaration, read_style
from newsletter.rendering.theme_files import STYLES, Found, Lint, ThemeFiles, line_at

BASE, CLIENT = STYLES
SMALLEST_PX = 14
_FUNCTIONS = re.compile(r"\b(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch|color|color-mix|light-dark)\(")
_MODERN = re.compile(r"\b(?:hwb|lab|lch|oklab|oklch|color|color-mix|light-dark)\(|\b(?:rgba?|hsla?)\([^,)]*\)")
_HEX = re.compile(r"#([0-9a-fA-F]+)\b")
_BRACKETS = re.compile(r"\[[^\]]*\]")
_PSEUDO = re.compile(r"::?[a-zA-Z-]+\(?")
_RISKY_PSEUDO = re.compile(r":(?:is|where|has|not|nth-[a-z-]+)\(")
_NO_STYLE = frozenset({"@font-face", "@keyframes", "@page"})  # hold descriptors, which nothing can outweigh
_FETCH = re.compile(r"\burl\(\s*['\"]?(?!#)|\bimage-set\(")


def declarations(theme: ThemeFiles, *files: str) -> Iterator[tuple[str, Declaration]]:
    """Every declaration of these style sheets, with its file."""
    for file in files:
        for rule in theme.sheets[file]:
            yield from ((file, each) for each in rule.declarations)


def attribute_styles(theme: ThemeFiles) -> Iterator[tuple[str, Declaration]]:
    """Every declaration of a style attribute in a template, with its file."""
    for file, tag in theme.every():
        yield from ((file, each) for each in read_style(tag.attributes.get("style", ""), line=tag.line))


def _imports(theme: ThemeFiles) -> Iterator[Found]:
    hint = "nothing is fetched while inlining, and mail clients ignore it: copy the rules"
    for file in (*STYLES, "page.html.j2"):
        for found in re.finditer(r"@import\b", _without_comments(theme.files[file]), re.IGNORECASE):
            yield Found(file, line_at(theme.files[file], found.start()), "'@import' will not survive", hint)


def _without_comments(css: str) -> str:
    return re.sub(r"/\*.*?\*/", lambda comment: re.sub(r"[^\n]", " ", comment[0]), css, flags=re.DOTALL)


def _at_rules(theme: ThemeFiles) -> Iterator[Found]:
    for rule in theme.sheets[BASE]:
        if rule.at and rule.at != "@import":
            hint = "at-rules are dropped while inlining; put it into client.css"
            yield Found(BASE, rule.line, f"{rule.at!r} will not survive", hint)


def _nesting(theme: ThemeFiles) -> Iterator[Found]:
    for file, rules in theme.sheets.items():
        for rule in rules:
            inside_rule = any(not each.startswith("@") for each in rule.around)
            if inside_rule or (rule.at and rule.around):
                hint = "mail clients read one level only: write it out"
                yield Found(file, rule.line, f"{rule.selectors[0]!r} stands inside {rule.around[-1]!r}", hint)


def _braces(theme: ThemeFiles) -> Iterator[Found]:
    hint = "whatever follows would be lost"
    for file in STYLES:
        bare = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'", "", _without_comments(theme.files[file]))
        jinja = re.search(r"\{[{%]", bare)
        if jinja:
            yield Found(file, line_at(bare, jinja.start()), "a style sheet is no template", hint)
            continue
        opened: list[int] = []
        for brace in re.finditer(r"[{}]", bare):
            if brace[0] == "{":
                opened.append(brace.start())
            elif opened:
                opened.pop()
            else:
                yield Found(file, line_at(bare, brace.start()), "'}' closes nothing", hint)
        for start in opened:
            yield Found(file, line_at(bare, start), "'{' is never closed", hint)


def _selectors(theme: ThemeFiles) -> Iterator[Found]:
    for rule in theme.sheets[BASE]:
        for selector in () if rule.at else rule.selectors:
            pseudo = _PSEUDO.search(_BRACKETS.sub("", selector))
            if pseudo:
                hint = "pseudo-classes cannot be inlined; put the rule into client.css, or give the element a class"
                yield Found(BASE, rule.line, f"{pseudo[0]!r} will not survive", hint)
            if _BRACKETS.search(selector):
                hint = "attribute selectors get the wrong weight while inlining; use a class"
                yield Found(BASE, rule.line, f"{selector!r} will not survive", hint)
    for rule in theme.sheets[CLIENT]:
        risky = _RISKY_PSEUDO.search(" ".join(rule.selectors))
        if risky and not rule.at:
            hint = "a client that does not know it drops the whole rule; use a class"
            yield Found(CLIENT, rule.line, f"{risky[0]!r} will not survive", hint)


def _tag_case(theme: ThemeFiles) -> Iterator[Found]:
    for file, rules in theme.sheets.items():
        for rule in rules:
            for selector in () if rule.at else rule.selectors:
                shouted = re.search(r"(?<![\w.#:\[-])[a-z]*[A-Z]\w*", _BRACKETS.sub("", selector))
                if shouted:
                    hint = "elements in capitals match nothing: write it in lower case"
                    yield Found(file, rule.line, f"{shouted[0]!r} will not survive", hint)


def _important(theme: ThemeFiles) -> Iterator[Found]:
    for _, each in declarations(theme, BASE):
        if each.is_important:
            yield Found(BASE, each.line, "'!important' will not survive", "Outlook ignores a style that has it inline")
    for rule in theme.sheets[CLIENT]:
        if rule.at in _NO_STYLE or any(around.split()[0] in _NO_STYLE for around in rule.around):
            continue
        for each in rule.declarations:
            if not each.is_important:
                what = f"'{each.name}: {each.value}' loses to the style attribute"
                yield Found(CLIENT, each.line, what, "end it with ' !important'")
            elif not each.value.endswith(" !important"):
                hint = "Gmail wants lower case, Outlook a blank before: ' !important'"
                yield Found(CLIENT, each.line, f"'{each.value}' will not survive", hint)


def _variables(theme: ThemeFiles) -> Iterator[Found]:
    for file, each in (*declarations(theme, *STYLES), *attribute_styles(theme)):
        if each.name.startswith("--") or "var(" in each.value:
            hint = "custom properties are not resolved, and most mail clients have none: write the value"
            yield Found(file, each.line, f"'{each.name}: {each.value}' will not survive", hint)


def _colour_syntax(theme: ThemeFiles) -> Iterator[Found]:
    hint = "mail clients drop the whole style for a colour they cannot read: write six hexadecimal digits"
    everywhere = [*declarations(theme, *STYLES), *attribute_styles(theme)]
    for file, each in everywhere:
        found = (_MODERN if file == CLIENT else _FUNCTIONS).search(each.value)
        if found:
            yield Found(file, each.line, f"{found[0]!r} will not survive", hint)
        for digits in _HEX.findall(each.value):
            if len(digits) != 6:
                yield Found(file, each.line, f"'#{digits}' will not survive", hint)


def _twice(theme: ThemeFiles) -> Iterator[Found]:
    for rule in theme.sheets[BASE]:
        seen: set[str] = set()
        for each in rule.declarations:
            if each.name in seen:
                hint = "the first value is lost while inlining, so there is no fallback: keep one"
                yield Found(BASE, each.line, f"{each.name!r} is given twice", hint)
            seen.add(each.name)


def _background(theme: ThemeFiles) -> Iterator[Found]:
    for file, each in (*declarations(theme, BASE), *attribute_styles(theme)):
        if each.name == "background" or "gradient(" in each.value:
            hint = "the plain colour would be lost with it: write background-color, and background-image if need be"
            yield Found(file, each.line, f"'{each.name}: {each.value}' will not survive", hint)


def _overwritten(theme: ThemeFiles) -> Iterator[Found]:
    """`margin` after `margin-bottom` after `margin`: premailer keeps the first one's place, so the second wins."""
    places: dict[str, dict[str, int]] = {}
    for number, rule in enumerate(theme.sheets[BASE]):
        for selector in () if rule.at else rule.selectors:
            placed = places.setdefault(selector, {})
            for each in rule.declarations:
                first = placed.get(each.name)
                later = [name for name, at in placed.items() if name.startswith(f"{each.name}-") and first is not None]
                if any(placed[name] > (first or 0) for name in later):
                    hint = f"while inlining, {later[-1]} would win over it: write the rules for one selector together"
                    yield Found(BASE, each.line, f"{each.name!r} of {selector!r} comes a second time", hint)
                placed.setdefault(each.name, number * 1000 + len(placed))


def _layout(theme: ThemeFiles) -> Iterator[Found]:
    for file, each in (*declarations(theme, BASE), *attribute_styles(theme)):
        if each.name == "position" or (each.name == "display" and re.search(r"\b(?:flex|grid)\b", each.value)):
            hint = "Outlook for Windows would lay it out otherwise: build it with tables"
            yield Found(file, each.line, f"'{each.name}: {each.value}' will not survive", hint)
        if each.name.startswith("margin") and re.search(r"(?<![\w.])-\.?\d", each.value):
            yield Found(
                file, each.line, f"'{each.name}: {each.value}' will not survive", "Gmail drops negative margins"
            )


def _fetches(theme: ThemeFiles) -> Iterator[Found]:
    for file, each in (*declarations(theme, *STYLES), *attribute_styles(theme)):
        if _FETCH.search(each.value):
            hint = "opening the letter would fetch it and tell somebody so; show pictures with an image block"
            yield Found(file, each.line, f"'{each.name}: {each.value[:40]}' is fetched", hint)


def _small(theme: ThemeFiles) -> Iterator[Found]:
    for file, each in (*declarations(theme, *STYLES), *attribute_styles(theme)):
        size = re.match(r"([\d.]+)px", each.value) if each.name == "font-size" else None
        if size and 0 < float(size[1]) < SMALLEST_PX:
            yield Found(file, each.line, f"{size[0]} is too small to read", f"{SMALLEST_PX}px is the least")


def _dark(theme: ThemeFiles) -> Iterator[Found]:
    if not any("prefers-color-scheme: dark" in rule.selectors[0] for rule in theme.sheets[CLIENT]):
        hint = "add @media (prefers-color-scheme: dark) { … } with a colour for every one of base.css"
        yield Found(CLIENT, 0, "nothing is said about the dark", hint)
    for attribute in ("data-ogsc", "data-ogsb"):
        rules = [rule for rule in theme.sheets[CLIENT] if attribute in " ".join(rule.selectors)]
        if not rules:
            hint = "data-ogsc is for its texts, data-ogsb for its backgrounds"
            yield Found(CLIENT, 0, f"Outlook on the web in the dark is not provided for: no [{attribute}]", hint)
        for rule in rules:
            if rule.around or not all(attribute in selector for selector in rule.selectors):
                hint = "other clients would drop what stands beside it"
                yield Found(CLIENT, rule.line, f"[{attribute}] wants a rule of its own, outside @media", hint)


LINTS = (
    Lint(id="theme-import", about="`@import`: never fetched.", find=_imports),
    Lint(id="theme-at-rule", about="An at-rule in `base.css`: dropped while inlining.", find=_at_rules),
    Lint(id="theme-nesting", about="A rule inside a rule, an at-rule inside an at-rule.", find=_nesting),
    Lint(id="theme-braces", about="A brace too many or too few, or Jinja in a style sheet.", find=_braces),
    Lint(
        id="theme-selector",
        about="`:hover`, `:is(`, `:nth-child` or `[href]` in `base.css`; `:is(`, `:not(`, `:has(` in `client.css`.",
        find=_selectors,
    ),
    Lint(id="theme-selector-case", about="`TD` instead of `td` in a selector.", find=_tag_case),
    Lint(id="theme-important", about="`!important` in `base.css`; none in `client.css`.", find=_important),
    Lint(id="theme-variable", about="`var(--x)` and `--x: …`.", find=_variables),
    Lint(id="theme-colour-syntax", about="Any colour but `#1b1a2b`; `rgba()` above all.", find=_colour_syntax),
    Lint(id="theme-twice", about="A property twice in one rule.", find=_twice),
    Lint(id="theme-background", about="`background:` and gradients.", find=_background),
    Lint(
        id="theme-overwritten", about="`margin`, `margin-bottom`, `margin` again for one selector.", find=_overwritten
    ),
    Lint(id="theme-layout", about="`position`, flex, grid, negative margins.", find=_layout),
    Lint(id="theme-fetches", about="`url(…)` in a style: opening the letter would tell somebody.", find=_fetches),
    Lint(id="theme-small-type", about="Text below 14 px.", find=_small),
    Lint(id="theme-dark", about="No dark mode, or Outlook's rules mixed with others.", find=_dark),
)
