"""What premailer or a mail client would make of a theme's templates."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.content.library import KINDS
from newsletter.rendering.theme_files import TEMPLATES, Found, Lint, ThemeFiles, line_at

PAGE, BLOCKS = TEMPLATES
DOCTYPE = "<!DOCTYPE html>"
CHARSET_BY = 1024  # bytes into the page; browsers look no further
_FORBIDDEN = frozenset(
    {
        *("script", "iframe", "frame", "form", "input", "button", "select", "textarea", "object", "embed", "applet"),
        *("base", "video", "audio", "svg", "canvas", "template", "noframes"),
    }
)
_MEASURE = re.compile(r"\d+%?")
_COLOUR = re.compile(r"#[0-9a-f]{6}")


def _document(theme: ThemeFiles) -> Iterator[Found]:
    page = theme.files[PAGE]
    if not page.startswith(DOCTYPE):
        hint = f"begin with {DOCTYPE}, spelled exactly so: any other is lost while inlining, and browsers fall back"
        yield Found(PAGE, 1, f"the page begins with {page[:20].strip()!r}", hint)
    at = page.encode().find(b'<meta charset="utf-8">')
    if not 0 <= at < CHARSET_BY:
        yield Found(PAGE, 1, "the page does not say its encoding early", 'put <meta charset="utf-8"> first in the head')
    if "<title>" not in page:
        yield Found(PAGE, 1, "the page has no title", "put <title>{{ letter.title }}</title> into its head")
    for scheme in ("color-scheme", "supported-color-schemes"):
        if not any(
            tag.attributes.get("name") == scheme and tag.attributes.get("content") == "light dark"
            for _, tag in theme.every("meta")
        ):
            hint = "without it Apple Mail shows the letter in light only"
            yield Found(PAGE, 1, f'there is no <meta name="{scheme}" content="light dark">', hint)


def _language(theme: ThemeFiles) -> Iterator[Found]:
    for _, tag in theme.every("html"):
        for name, wanted in (("lang", "letter.language"), ("dir", "letter.direction")):
            if wanted not in tag.attributes.get(name, ""):
                hint = (
                    f'write {name}="{{{{ {wanted} }}}}" there, and on every child of the body: mailboxes cut them off'
                )
                yield Found(PAGE, tag.line, f"<html> does not say its {name}", hint)


def _style_elements(theme: ThemeFiles) -> Iterator[Found]:
    page = theme.files[PAGE]
    for sheet, kept in (("base_css", False), ("client_css", True)):
        found = re.search(r"<style([^>]*)>\s*\{\{\s*" + sheet + r"\s*\}\}\s*</style>", page)
        if not found:
            yield Found(PAGE, 1, f"the page has no <style> with {{{{ {sheet} }}}} alone", "put it into the head")
        elif ('data-premailer="ignore"' in found[1]) is not kept:
            hint = 'only the one with client_css has data-premailer="ignore": the other is to be inlined'
            yield Found(PAGE, line_at(page, found.start()), f"the style with {sheet} is in the wrong hands", hint)


def _linked_styles(theme: ThemeFiles) -> Iterator[Found]:
    for file, tag in theme.every("link"):
        yield Found(file, tag.line, "<link> will not survive", "mail clients load no style sheet: use client.css")


def _forbidden(theme: ThemeFiles) -> Iterator[Found]:
    for file, tag in theme.every():
        if tag.name.lower() in _FORBIDDEN:
            yield Found(file, tag.line, f"<{tag.name}> will not survive", "mail clients take it out, or the mail away")
        if tag.name == "meta" and "http-equiv" in tag.attributes:
            yield Found(file, tag.line, "a meta http-equiv will not survive", "leave it out")
        for name in tag.attributes:
            if name.lower().startswith("on"):
                yield Found(file, tag.line, f"{name}= will not survive", "nothing in a letter runs")


def _case(theme: ThemeFiles) -> Iterator[Found]:
    for file, tag in theme.every():
        if ":" not in tag.name and tag.name != tag.name.lower():
            yield Found(file, tag.line, f"<{tag.name}> stands in capitals", "write it in lower case, like its style")


def _tables(theme: ThemeFiles) -> Iterator[Found]:
    for file, tag in theme.every("table"):
        if tag.attributes.get("role") not in ("presentation", "none"):
            hint = 'write <table role="presentation">, or screen readers read it out as a table'
            yield Found(file, tag.line, "a table does not say that it is layout", hint)


def _pictures(theme: ThemeFiles) -> Iterator[Found]:
    for file, tag in theme.every("img"):
        missing = [name for name in ("src", "alt", "width") if name not in tag.attributes]
        if missing:
            hint = "Outlook shows a picture without a width as large as it is; without alt, many read nothing"
            yield Found(file, tag.line, f"<img> has no {missing[0]}", hint)
        source = tag.attributes.get("src", "")
        if not re.match(r"https://|cid:|\{\{", source) or source.lower().endswith(".svg"):
            hint = "write an https:// address of a PNG or JPEG; Gmail shows neither data: nor SVG"
            yield Found(file, tag.line, f"<img src={source[:40]!r}> will not be seen", hint)


def _measures(theme: ThemeFiles) -> Iterator[Found]:
    for file, tag in theme.every():
        for name, pattern in (("width", _MEASURE), ("height", _MEASURE), ("bgcolor", _COLOUR)):
            value = tag.attributes.get(name, "")
            if value and "{{" not in value and not pattern.fullmatch(value):
                hint = "whole pixels or per cent" if pattern is _MEASURE else "six hexadecimal digits in lower case"
                yield Found(file, tag.line, f'{name}="{value}" will not survive', hint)


def _style_attributes(theme: ThemeFiles) -> Iterator[Found]:
    for file, tag in theme.every():
        style = tag.attributes.get("style")
        if style is not None and ":" not in style:
            yield Found(file, tag.line, f"style={style!r} is none", "premailer stops at it: write property: value")
        if style and "!important" in style.replace(" ", ""):
            yield Found(file, tag.line, "'!important' in a style attribute", "Outlook ignores the style: leave it out")


def _for_outlook(theme: ThemeFiles) -> Iterator[Found]:
    for file, markup in theme.markup.items():
        bare = re.search(r"<!\[if|(?<!<!--)<!\[endif\](?!-->)", markup)
        if bare:
            hint = (
                "every other parser ruins it: write <!--[if mso]>…<![endif]-->, or <!--[if !mso]><!-->…<!--<![endif]-->"
            )
            yield Found(file, line_at(markup, bare.start()), f"{bare[0]!r} stands outside a comment", hint)
        opened = [found.start() for found in re.finditer(r"<!--\[if", markup)]
        if len(opened) != markup.count("<![endif]-->"):
            what = f"{len(opened)} comments for Outlook are opened, {markup.count('<![endif]-->')} closed"
            yield Found(file, line_at(markup, opened[-1]) if opened else 1, what, "close each with <![endif]-->")


def _vml(theme: ThemeFiles) -> Iterator[Found]:
    for file, tags in theme.tags.items():
        links = {tag.attributes.get("href") for tag in tags if tag.name == "a"}
        for tag in tags:
            href = tag.attributes.get("href")
            if tag.name.startswith("v:") and href is not None and href not in links:
                hint = "write the same href as on the <a> that everybody else sees"
                yield Found(file, tag.line, f"<{tag.name}> leads to {href!r}, and no <a> does", hint)


def _macros(theme: ThemeFiles) -> Iterator[Found]:
    for file in (BLOCKS, "blocks.txt.j2"):
        there = set(re.findall(r"\{%-?\s*macro\s+(\w+)", theme.files[file]))
        for kind in KINDS:
            if kind.replace("-", "_") not in there:
                yield Found(file, 0, f"there is no macro for {kind!r}", "every theme shows every kind of block")


LINTS = (
    Lint(id="theme-document", about="Doctype, encoding, title and colour schemes of the page.", find=_document),
    Lint(id="theme-language", about="`lang` and `dir` of the page.", find=_language),
    Lint(id="theme-style-element", about="`base_css` inlined, `client_css` kept.", find=_style_elements),
    Lint(id="theme-link", about="A linked style sheet.", find=_linked_styles),
    Lint(id="theme-forbidden", about="What runs, asks for input or is taken out.", find=_forbidden),
    Lint(id="theme-tag-case", about="`<TD>` instead of `<td>`.", find=_case),
    Lint(id="theme-table", about="A table without `role`.", find=_tables),
    Lint(id="theme-picture", about="A picture without `alt` or `width`, an SVG, a `data:`.", find=_pictures),
    Lint(id="theme-measure", about="`width`, `height` and `bgcolor` that are none.", find=_measures),
    Lint(id="theme-style-attribute", about="A style attribute that is none, or important.", find=_style_attributes),
    Lint(id="theme-outlook", about="Comments for Outlook that are not whole.", find=_for_outlook),
    Lint(id="theme-vml", about="A shape for Outlook that leads elsewhere than its link.", find=_vml),
    Lint(id="theme-macro", about="A kind of block without a macro.", find=_macros),
)
