"""What inlining or a mail client would ruin is refused with file, line and reason; the themes we ship are silent."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from newsletter.content.issue import Level, Problem
from newsletter.rendering.theme_lint import LINTS, lint_theme
from newsletter.rendering.theme_palette import contrast
from tests.unit.letters import HEAD, ROOT, THEMES, built, theme_files

HERE = "«here»"  # stands on the line that is to be named, and is taken out


@dataclass(frozen=True)
class Spoilt:
    """The theme with one thing wrong: *old* becomes *new*, or *new* is added where there is no *old*."""

    lint: str
    file: str
    new: str
    old: str = ""

    @property
    def theme(self) -> tuple[dict[str, str], int]:
        """Its files, and the line that is wrong; 0 where it is the file as a whole."""
        text = theme_files()[self.file]
        assert self.old in text
        text = text.replace(self.old, self.new, 1) if self.old else f"{text}\n{self.new}\n"
        line = text[: text.index(HERE)].count("\n") + 1 if HERE in text else 0
        return {**theme_files(), self.file: text.replace(HERE, "")}, line


PAGE, BLOCKS, TOML = "page.html.j2", "blocks.html.j2", "theme.toml"
SPOILT = [
    Spoilt("theme-import", "base.css", f"/* @import */\n{HERE}@import url(a.css);"),
    Spoilt("theme-import", "client.css", f"{HERE}@IMPORT 'a.css';"),
    Spoilt("theme-import", PAGE, f"<style>\n{HERE}@import url(a.css);</style>"),
    Spoilt("theme-at-rule", "base.css", f"/* x: y; */\n{HERE}@media print {{ p {{ color: #1b1a2b; }} }}"),
    Spoilt("theme-at-rule", "base.css", f"{HERE}@font-face {{ font-family: A; }}"),
    Spoilt("theme-nesting", "client.css", f"@media print {{\n{HERE}@media (x) {{ p {{ margin: 0 !important; }} }} }}"),
    Spoilt("theme-nesting", "base.css", f".a {{ margin: 0;\n{HERE}p {{ margin: 0; }} }}"),
    Spoilt("theme-braces", "base.css", f"{HERE}.a {{ margin: 0;\n"),
    Spoilt("theme-braces", "client.css", f".a {{ margin: 0 !important; }}\n{HERE}}}"),
    Spoilt("theme-braces", "client.css", f"{HERE}.a {{ margin: {{{{ 1 }}}}px !important; }}"),
    Spoilt("theme-selector", "base.css", f"{HERE}a:hover {{ margin: 0; }}"),
    Spoilt("theme-selector", "base.css", f"{HERE}p::before {{ margin: 0; }}"),
    Spoilt("theme-selector", "base.css", f"{HERE}tr:nth-child(odd) td {{ margin: 0; }}"),
    Spoilt("theme-selector", "base.css", f'{HERE}a[href$=".pdf"] {{ margin: 0; }}'),
    Spoilt("theme-selector", "base.css", f"{HERE}:is(.a, .b) {{ margin: 0; }}"),
    Spoilt("theme-selector", "client.css", f"{HERE}:is(.a, .b) {{ margin: 0 !important; }}"),
    Spoilt("theme-selector-case", "base.css", f"{HERE}.a TD {{ margin: 0; }}"),
    Spoilt("theme-important", "base.css", f".a {{\n{HERE}margin: 0 !important; }}"),
    Spoilt("theme-important", "client.css", f"{HERE}.a {{ margin: 0; }}"),
    Spoilt("theme-important", "client.css", f"{HERE}.a {{ margin: 0!important; }}"),
    Spoilt("theme-important", "client.css", f"{HERE}.a {{ margin: 0 !IMPORTANT; }}"),
    Spoilt("theme-variable", "base.css", f"{HERE}.a {{ margin: var(--a); }}"),
    Spoilt("theme-variable", "client.css", f"{HERE}.a {{ --a: 0 !important; }}"),
    Spoilt("theme-colour-syntax", "base.css", f"{HERE}.a {{ color: rgba(0, 0, 0, 0.5); }}"),
    Spoilt("theme-colour-syntax", "base.css", f"{HERE}.a {{ color: #FFF; }}"),
    Spoilt("theme-colour-syntax", "client.css", f"{HERE}.a {{ color: rgb(0 0 0 / 50%) !important; }}"),
    Spoilt("theme-colour-syntax", "client.css", f"{HERE}.a {{ color: oklch(0.5 0.1 20) !important; }}"),
    Spoilt("theme-colour-syntax", PAGE, f'{HERE}<p style="color: color-mix(in srgb, red, blue)">'),
    Spoilt("theme-twice", "base.css", f".a {{ margin: 0;\n{HERE}margin: 1px; }}"),
    Spoilt("theme-background", "base.css", f"{HERE}.a {{ background: #ffffff; }}"),
    Spoilt("theme-background", "base.css", f"{HERE}.a {{ background-image: linear-gradient(red, blue); }}"),
    Spoilt(
        "theme-overwritten",
        "base.css",
        f".a {{ margin: 0; }} .a {{ margin-bottom: 9px; }}\n{HERE}.a {{ margin: 0 0 12px; }}",
    ),
    Spoilt("theme-layout", "base.css", f"{HERE}.a {{ position: absolute; }}"),
    Spoilt("theme-layout", "base.css", f"{HERE}.a {{ display: inline-flex; }}"),
    Spoilt("theme-layout", PAGE, f'{HERE}<p style="margin: 0 -4px">'),
    Spoilt("theme-fetches", "client.css", f"@font-face {{\n{HERE}src: url(https://a.example/a.woff2); }}"),
    Spoilt("theme-fetches", "base.css", f"{HERE}.a {{ background-image: url('https://a.example/a.png'); }}"),
    Spoilt("theme-small-type", "base.css", f"{HERE}.a {{ font-size: 13px; }}"),
    Spoilt("theme-dark", "client.css", "@media (prefers-color-scheme: light)", "@media (prefers-color-scheme: dark)"),
    Spoilt("theme-dark", "client.css", f"{HERE}[data-ogsc] .a, .a {{ margin: 0 !important; }}"),
    Spoilt("theme-dark", "client.css", f"@media print {{\n{HERE}[data-ogsb] .a {{ margin: 0 !important; }} }}"),
    Spoilt("theme-document", PAGE, f"{HERE}<!doctype html>", "<!DOCTYPE html>"),
    Spoilt("theme-document", PAGE, f'{HERE}<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE html>', "<!DOCTYPE html>"),
    Spoilt("theme-document", PAGE, '<meta charset="latin1">', '<meta charset="utf-8">'),
    Spoilt("theme-document", PAGE, 'content="light"', 'content="light dark"'),
    Spoilt("theme-document", PAGE, "<p>", "<title>"),
    Spoilt("theme-language", PAGE, f'{HERE}<html dir="{{{{ letter.direction }}}}">', "<html lang="),
    Spoilt("theme-language", PAGE, f'{HERE}dir="ltr">\n<head>', 'dir="{{ letter.direction }}">\n<head>'),
    Spoilt("theme-style-element", PAGE, f"{HERE}<style>", '<style data-premailer="ignore">'),
    Spoilt("theme-style-element", PAGE, "", "{{ base_css }}"),
    Spoilt("theme-link", PAGE, f'{HERE}<link rel="stylesheet" href="https://a.example/a.css">'),
    Spoilt("theme-forbidden", BLOCKS, f"{HERE}<script>x</script>"),
    Spoilt("theme-forbidden", PAGE, f'{HERE}<meta http-equiv="refresh" content="0">'),
    Spoilt("theme-forbidden", BLOCKS, f'{HERE}<p onclick="x">'),
    Spoilt("theme-tag-case", BLOCKS, f"{HERE}<P>x</P>"),
    Spoilt("theme-table", BLOCKS, f'{HERE}<table width="100%"></table>'),
    Spoilt("theme-picture", BLOCKS, f'{HERE}<img src="https://a.example/a.png" width="1">'),
    Spoilt("theme-picture", BLOCKS, f'{HERE}<img src="https://a.example/a.png" alt="">'),
    Spoilt("theme-picture", BLOCKS, f'{HERE}<img src="https://a.example/a.svg" alt="" width="1">'),
    Spoilt("theme-picture", BLOCKS, f'{HERE}<img src="data:image/png;base64,A" alt="" width="1">'),
    Spoilt("theme-measure", BLOCKS, f'{HERE}<td width="12px">'),
    Spoilt("theme-measure", BLOCKS, f'{HERE}<td bgcolor="rgba(0, 0, 0, 0.5)">'),
    Spoilt("theme-style-attribute", BLOCKS, f'{HERE}<p style="p">'),
    Spoilt("theme-style-attribute", BLOCKS, f'{HERE}<p style="margin: 0 ! important">'),
    Spoilt("theme-outlook", PAGE, f"{HERE}<!--[if mso]><table>"),
    Spoilt("theme-outlook", PAGE, f"{HERE}<![if !mso]><p><![endif]>"),
    Spoilt("theme-vml", BLOCKS, f'{HERE}<!--[if mso]><v:rect href="{{{{ other }}}}"></v:rect><![endif]-->'),
    Spoilt("theme-macro", BLOCKS, "{% macro qoute(", "{% macro quote("),
    Spoilt("theme-macro", "blocks.txt.j2", "{% macro qoute(", "{% macro quote("),
    Spoilt("theme-palette", TOML, f'{HERE}ink = "#111"', 'ink = "#1b1a2b"'),
    Spoilt("theme-palette", TOML, '[colours.dark]\nnew = "#ffffff"\n', "[colours.dark]\n"),
    Spoilt("theme-off-palette", "base.css", f"{HERE}.a {{ color: #123456; }}"),
    Spoilt("theme-off-palette", "client.css", f"{HERE}.a {{ color: #123456 !important; }}"),
    Spoilt("theme-off-palette", BLOCKS, f'{HERE}<td bgcolor="#123456">'),
    Spoilt("theme-contrast", TOML, f'{HERE}[[pairs]]\nforeground = "line"\nbackground = "page"'),
    Spoilt("theme-contrast", TOML, f'{HERE}[[pairs]]\nforeground = "nobody"\nbackground = "page"'),
    Spoilt("theme-word", "page.txt.j2", f"{HERE}{{{{ words.nowhere }}}}"),
    Spoilt("theme-translation", TOML, f'{HERE}[words.fr]\nletter = "lettre"'),
    Spoilt("theme-translation", TOML, f'[words.pt-BR]\n{HERE}other = "outra"'),
]


def complaints(files: dict[str, str], lint: str) -> list[Problem]:
    return [problem for problem in lint_theme("mine", files) if problem.check == lint]


@pytest.mark.parametrize("name", THEMES)
def test_the_themes_we_ship_are_silent(name: str) -> None:
    assert lint_theme(name, theme_files(name)) == []


def test_there_are_two_themes_that_share_no_file() -> None:
    assert {"letter", "plain"} <= set(THEMES)
    styles = [theme_files(name)["base.css"] for name in THEMES]
    assert len(set(styles)) == len(styles)


@pytest.mark.parametrize("spoilt", SPOILT, ids=[f"{each.lint}: {each.new[:40]}" for each in SPOILT])
def test_a_spoilt_theme_is_refused_where_it_is_spoilt(spoilt: Spoilt) -> None:
    files, line = spoilt.theme
    found = complaints(files, spoilt.lint)
    assert found
    assert all(problem.what and problem.hint for problem in found)
    assert {problem.at.path for problem in found} == {f"templates/mine/{spoilt.file}"}
    if line:
        assert line in {problem.at.line for problem in found}


def test_every_lint_is_seen_to_fire_and_is_told_in_the_guide() -> None:
    guide = (ROOT / "docs" / "themes.md").read_text()
    told = re.findall(r"^\| `(theme-[a-z-]+)` \|", guide, re.MULTILINE)
    assert {each.lint for each in SPOILT} == {lint.id for lint in LINTS}
    assert sorted(told) == sorted([*(lint.id for lint in LINTS), "theme-language-words"])


def test_a_theme_that_would_be_ruined_stops_the_letter() -> None:
    spoilt = theme_files()["base.css"] + "\n/* a: b;\n @import */\na:hover { margin: 0; }"
    result = built("::: text\nx\n:::\n", theme={"base.css": spoilt})
    assert result.edition is None
    (problem,) = result.errors
    assert problem.check == "theme-selector"
    assert str(problem.at) == f"templates/letter/base.css:{spoilt.count(chr(10)) + 1}"


def test_words_that_are_missing_are_no_reason_to_stop() -> None:
    toml = theme_files()["theme.toml"].replace('leave = "Diesen Brief abbestellen"\n', "")
    result = built("::: text\nx\n:::\n", theme={"theme.toml": toml}, head=HEAD.replace("send:", "language: de\nsend:"))
    assert result.edition is not None
    assert "Leave this letter" in result.edition.variants[0].html
    assert [problem.level for problem in result.problems if problem.check == "theme-translation"] == [Level.WARNING]


@pytest.mark.parametrize(("language", "wanted"), [("de-AT", []), ("fr", ["theme-language-words"])])
def test_a_language_without_words_is_noticed_at_its_line(language: str, wanted: list[str]) -> None:
    result = built("::: text\nx\n:::\n", head=HEAD.replace("send:", f"language: {language}\nsend:"))
    assert [problem.check for problem in result.problems] == wanted
    assert [problem.at.line for problem in result.problems] == [5] * len(wanted)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#000000", 21.0),
        ("#777777", "#ffffff", 4.48),
        ("#767676", "#ffffff", 4.54),
    ],
)
def test_contrast_is_reckoned_as_the_standard_says(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.005)
