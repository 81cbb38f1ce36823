"""The inliner skips rules that fit nothing on a page, and nobody can tell from the page."""

from __future__ import annotations

import pytest

from newsletter.rendering import inline

CSS = """
p { margin: 0; } .a { color: #111111; } .gone { color: #222222; } .a .b, .gone .b { color: #333333; }
td.a.b { color: #444444; } #one { color: #555555; } #one.gone { color: #666666; } .b-c > p { padding: 1px; }
a[href$=".pdf"] { color: #777777; } div.a.gone p { color: #888888; }
"""
PAGE = f"""<!DOCTYPE html>
<html><head><style>{CSS}</style><style data-premailer="ignore">.gone {{ margin: 1px !important; }}</style></head>
<body class='a'><div class="b-c"><p id="one" class="b">One</p></div><table><tr><td class="a  b">gone?</td></tr></table>
<a href="https://example.org/x.pdf">Two</a></body></html>"""


@pytest.mark.parametrize("page", [PAGE, PAGE.replace("gone?", "&hellip;"), PAGE.replace("class='a'", "class=a")])
def test_rules_that_fit_nothing_are_not_missed(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = inline.inline_css(page)
    assert "#444444" in quick
    assert "#777777" in quick
    monkeypatch.setattr(inline, "_may_apply", lambda _selector, _words: True)
    assert inline.inline_css(page) == quick


def test_a_rule_is_skipped_only_for_a_class_that_is_nowhere() -> None:
    assert inline._may_apply(".a .b", {"a", "b"})
    assert not inline._may_apply(".a .b", {"a"})
    assert inline._may_apply('a[href$=".pdf"]', set())
