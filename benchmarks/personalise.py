"""HTML and text for one reader after another: filled pieces, and what everybody else does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from jinja2 import Environment

from benchmarks.letters import Sample, compiled
from benchmarks.measure import Row, Target, compare, each
from benchmarks.people import readers
from newsletter.rendering.expressions import evaluator
from newsletter.rendering.holes import MARK
from newsletter.rendering.inline import inline_css
from newsletter.rendering.message import cut_edition

if TYPE_CHECKING:
    from jinja2 import Template

Fields = Mapping[str, str]
Render = Callable[[Fields], tuple[bytes | str, bytes | str]]

MANY, FEW = 2000, 10


def rows() -> Iterator[Row]:
    """The table's lines."""
    sample = compiled(45)
    fields = _fields(sample, MANY)
    ours, html = _filled(sample), _templates(sample, inlined=True)
    naive = _naive(sample)
    _compare(ours, naive, fields[:FEW])
    _compare(ours, html, fields)
    holes = len(MARK.findall(sample.edition.variants[0].html + sample.edition.variants[0].text))
    yield compare(
        "personalise HTML and text",
        ours=each(_all(ours, fields), MANY),
        ceiling=each(_all(naive, fields[:FEW]), FEW),
        called="Jinja2 and premailer for each reader",
        target=Target(least=1000),
    )
    yield compare(
        f"the same, {holes} plain holes",
        ours=each(_all(ours, fields), MANY),
        ceiling=each(_all(html, fields), MANY),
        called="compiled Jinja2, inlined once",
        target=Target(least=3),
    )
    sample = compiled(45, arbitrary=True)
    fields = _fields(sample, MANY)
    ours, html = _filled(sample), _templates(sample, inlined=True)
    _compare(ours, html, fields)
    yield compare(
        "the same, arbitrary expressions",
        ours=each(_all(ours, fields), MANY),
        ceiling=each(_all(html, fields), MANY),
        called="compiled Jinja2, inlined once",
        target=Target(least=1.3),
    )


def _fields(sample: Sample, count: int) -> list[dict[str, str]]:
    """What is known of each reader, links made already: both sides begin with the same."""
    return [
        {
            "first_name": reader.first_name,
            "name": reader.name,
            "language": reader.language,
            "city": reader.attributes.get("city", ""),
            "unsubscribe_url": f"https://letters.example.org/leave/{reader.leave_token}",
            "preferences_url": f"https://letters.example.org/preferences/{reader.id:032d}",
            **sample.edition.constants,
        }
        for reader in readers(count)
    ]


def _filled(sample: Sample) -> Render:
    cut = cut_edition(sample.edition)
    evaluate, parts = evaluator(cut.expressions), cut.variants[0]

    def render(fields: Fields) -> tuple[bytes, bytes]:
        values = evaluate(fields)
        return parts.html.fill(values), parts.text.fill(values)

    return render


def _templates(sample: Sample, *, inlined: bool) -> Render:
    variant = sample.edition.variants[0]
    page = _template(sample, variant.html if inlined else sample.pages[0], escaped=True)
    text = _template(sample, variant.text.strip("\n") + "\n", escaped=False)

    def render(fields: Fields) -> tuple[str, str]:
        return page.render(fields), text.render(fields)

    return render


def _template(sample: Sample, marked: str, *, escaped: bool) -> Template:
    """The page as an author would have written it for Jinja2: each mark its expression again."""
    environment = Environment(autoescape=escaped, keep_trailing_newline=True)  # noqa: S701 - plain text has no markup
    environment.filters["default"] = lambda value, fallback: value or fallback
    assert not re.search(r"\{[{%#]", marked)
    return environment.from_string(MARK.sub(lambda mark: f"{{{{ {sample.edition.holes[int(mark[2])]} }}}}", marked))


def _naive(sample: Sample) -> Render:
    """Each reader's page rendered and then inlined, with premailer as we use it."""
    pages = _templates(sample, inlined=False)

    def render(fields: Fields) -> tuple[str, str]:
        page, text = pages(fields)
        return inline_css(str(page)), str(text)

    return render


def _compare(ours: Render, theirs: Render, readers: Iterable[Fields]) -> None:
    """Stop if the two do not give the same bytes."""
    for fields in readers:
        for mine, their in zip(ours(fields), theirs(fields), strict=True):
            assert mine == (their.encode() if isinstance(their, str) else their), "the texts differ"


def _all(render: Render, readers: Sequence[Fields]) -> Callable[[], None]:
    def work() -> None:
        for fields in readers:
            render(fields)

    return work
