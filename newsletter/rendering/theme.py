"""A theme: page and block templates, words and stylesheets, from the files of one folder."""

from __future__ import annotations

import tomllib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import DictLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from newsletter.errors import SettingsError
from newsletter.rendering.blocks import View
from newsletter.rendering.holes import MARK
from newsletter.rendering.markdown import bullet, underline, wrap

FILES = ("theme.toml", "base.css", "client.css", "page.html.j2", "page.txt.j2", "blocks.html.j2", "blocks.txt.j2")


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme, ready to render in one language."""

    name: str
    files: Mapping[str, str]
    base_css: str
    client_css: str
    words: Mapping[str, str]
    speaks: bool  # the language it was read for; else the words are English
    _environment: ImmutableSandboxedEnvironment

    def block(self, view: View, *, html: bool) -> str:
        """One block by the macro of its kind."""
        file = "blocks.html.j2" if html else "blocks.txt.j2"
        try:
            macros = self._environment.get_template(file).make_module({"words": self.words})
            rendered = str(getattr(macros, view.kind.replace("-", "_"))(view)).strip()
        except (TemplateError, AttributeError, TypeError) as err:
            raise self._broken(file, err) from err
        return Markup(rendered) if html else rendered  # noqa: S704 - the macro escaped what is not markup

    def page(self, values: Mapping[str, Any], *, html: bool) -> str:
        """The whole letter around its blocks."""
        file = "page.html.j2" if html else "page.txt.j2"
        styles = {"base_css": Markup(self.base_css), "client_css": Markup(self.client_css)}  # noqa: S704 - the theme's own
        try:
            return self._environment.get_template(file).render({**values, **styles, "words": self.words})
        except (TemplateError, TypeError) as err:
            raise self._broken(file, err) from err

    def _broken(self, file: str, err: Exception) -> SettingsError:
        # A syntax error knows its line; of any other, Jinja2 leaves it in the traceback.
        frames = traceback.extract_tb(err.__traceback__)
        line = getattr(err, "lineno", None) or next(
            (frame.lineno for frame in reversed(frames) if frame.filename == "<template>"), None
        )
        return SettingsError(
            f"the template fails: {err}",
            at=f"templates/{self.name}/{file}" + (f":{line}" if line else ""),
            hint="compare it with the theme that comes with the newsletter",
        )


def read_theme(name: str, files: Mapping[str, str], *, language: str) -> Theme:
    """The theme in *files* (name → text). Raises SettingsError if one is missing or unreadable."""
    missing = [file for file in FILES if file not in files]
    if missing:
        raise SettingsError(
            f"the theme has no {missing[0]}",
            at=f"templates/{name}",
            hint="[newsletter] theme names a folder of templates/",
        )
    try:
        words = tomllib.loads(files["theme.toml"]).get("words", {})
    except tomllib.TOMLDecodeError as err:
        raise SettingsError(str(err), at=f"templates/{name}/theme.toml") from err
    short = language.partition("-")[0]
    return Theme(
        name=name,
        files=files,
        base_css=files["base.css"],
        client_css=files["client.css"],
        words={**words.get("en", {}), **words.get(short, {}), **words.get(language, {})},
        speaks=short in words or language in words,
        _environment=_environment_of(tuple(sorted(files.items()))),
    )


@lru_cache(maxsize=8)  # compiling the templates is half of a build, and a preview builds at every save
def _environment_of(files: tuple[tuple[str, str], ...]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=DictLoader(dict(files)),
        autoescape=lambda file: file is not None and file.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(wrap=wrap, underline=underline, bullet=bullet)
    # What a reader calls themselves must not stand in a comment, for Outlook or anyone: two dashes end some.
    environment.tests["personal"] = lambda text: MARK.search(str(text)) is not None
    return environment
