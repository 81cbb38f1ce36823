"""axe-core, the checker of accessibility that others wrote, put to work on a page that is shown.

https://github.com/dequelabs/axe-core/blob/develop/doc/API.md (read 2026-11)
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium

SCRIPT = Path(__file__).parents[1] / "peers" / "node_modules" / "axe-core" / "axe.min.js"

# Rules for websites, which have a banner, a navigation and a main part to jump to. A mail client shows a letter
# inside a page of its own, whose landmarks these would be.
OFF = ("bypass", "landmark-one-main", "region")
ON = ("target-size",)  # off unless asked for, since it is of WCAG 2.2
# What axe leaves open where it cannot tell what is behind a text; tests/browser/measures.py can, and decides.
OPEN = ("color-contrast",)

# The page's violations and what else axe could not decide; and the rules that were asked at all.
_RUN = """async () => {{
  const found = await axe.run(document, {{preload: false, iframes: false, rules: {rules}}});
  const why = node => node.failureSummary.split('\\n').slice(1).join(';');
  const told = (kind, word) => found[kind].flatMap(rule => rule.nodes.map(node =>
    [rule.id, `${{word}}${{rule.id}}: ${{node.html.slice(0, 120)}} ${{why(node)}}`]));
  return {{
    objections: [...told('violations', ''), ...told('incomplete', 'undecided ')],
    asked: ['violations', 'incomplete', 'passes', 'inapplicable'].flatMap(kind => found[kind].map(rule => rule.id)),
  }};
}}"""


@cache
def _script() -> str:
    if not SCRIPT.exists():
        pytest.fail("axe-core is not installed; run: npm ci --prefix tests/peers", pytrace=False)
    return SCRIPT.read_text()


def _found(browser: Chromium) -> tuple[list[tuple[str, str]], frozenset[str]]:
    browser.call("Runtime.evaluate", expression=_script())
    rules = {**{rule: {"enabled": False} for rule in OFF}, **{rule: {"enabled": True} for rule in ON}}
    found = browser.run(_RUN.format(rules=json.dumps(rules)))
    return [(rule, text) for rule, text in found["objections"]], frozenset(found["asked"])


def objections(browser: Chromium) -> list[str]:
    """What axe objects to on the page that is shown, and what it could not decide."""
    found, _ = _found(browser)
    return [text for rule, text in found if not (text.startswith("undecided") and rule in OPEN)]


def rules_asked(browser: Chromium) -> frozenset[str]:
    """The names of all rules that axe tries on the page."""
    return _found(browser)[1]
