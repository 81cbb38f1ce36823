"""Where it is asked whether everybody can read a repository, whatever way its address is written."""

from __future__ import annotations

import pytest

from newsletter.store.publicity import asked_at


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://github.com/you/letters.git", "https://github.com/you/letters.git"),
        ("https://someone:token@github.com/you/letters", "https://github.com/you/letters"),
        ("http://127.0.0.1:8080/x.git", "http://127.0.0.1:8080/x.git"),
        ("git@github.com:you/letters.git", "https://github.com/you/letters.git"),
        ("github.com:you/letters.git", "https://github.com/you/letters.git"),
        ("org-123@github.com:you/letters.git", "https://github.com/you/letters.git"),
        ("ssh://git@github.com/you/letters.git", "https://github.com/you/letters.git"),
        ("ssh://git@git.example.org:2222/you/letters.git", "https://git.example.org/you/letters.git"),
        ("git+ssh://git@github.com/you/letters.git", "https://github.com/you/letters.git"),
        ("ssh://git@ssh.github.com:443/you/letters.git", "https://github.com/you/letters.git"),
        ("git@altssh.gitlab.com:you/letters.git", "https://gitlab.com/you/letters.git"),
        ("git://git.example.org/letters.git", "git://git.example.org/letters.git"),
        ("/srv/git/letters.git", None),
        ("./letters.git", None),
        ("../with:colon.git", None),
        ("C:/git/letters.git", None),
        ("file:///srv/git/letters.git", None),
        ("newsletter-state", None),
    ],
)
def test_where_it_is_asked(url, asked):
    assert asked_at(url) == asked
