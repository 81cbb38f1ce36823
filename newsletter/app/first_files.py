"""What only a new newsletter's folder has: its own README, its door to the program, what Git must not take."""

from __future__ import annotations

# People's data and keys must be out of Git's reach before there are any.
# (The outbox looks after itself.)
SUBSCRIBERS_IGNORED = """\
*
!.gitignore
!sample.csv
!segments.toml
!import.toml
"""

IGNORED = """\
# What a machine makes and what belongs to people never enters Git.
/.venv/
/outbox/
/subscribers/*
!/subscribers/.gitignore
!/subscribers/sample.csv
!/subscribers/segments.toml
!/subscribers/import.toml
__pycache__/
.DS_Store
"""

REQUIREMENTS = """\
# The program this newsletter runs with, and at which commit; ./nl and the workflows install it from here.
# What it needs in turn is in requirements.lock, each package held by its hash. Take both from one version.
"""

NOT_KNOWN = """\
# Complete this line and take the # away:
# newsletter @ git+https://git.example.org/newsletter.git@COMMIT
"""

DOOR = """\
#!/bin/sh
# The newsletter command, at the version that requirements.txt names; sets itself up on first use.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
venv=$root/.venv
wanted=$(cat "$root/requirements.lock" "$root/requirements.txt")
if [ "$wanted" != "$(cat "$venv/made-from" 2>/dev/null || true)" ]; then
    if ! grep -q '^newsletter' "$root/requirements.txt"; then
        echo "nl: say in requirements.txt where the program comes from" >&2
        exit 1
    fi
    echo "nl: setting up (once) ..." >&2
    install() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }
    python3 -m venv --clear "$venv"
    install --require-hashes -r "$root/requirements.lock"
    install --no-deps -r "$root/requirements.txt"
    printf '%s\\n' "$wanted" >"$venv/made-from"
fi
exec "$venv/bin/newsletter" "$@"
"""

README = """\
# Our newsletter

One letter a week, kept in Git: written in Markdown, approved in a pull request, sent once to everybody on the list.
Nobody is mailed until you name a provider in `newsletter.toml`; until then every message is a file in `outbox/`.

## First steps

1. **Say who you are.** In `newsletter.toml`, set the name, the sender's address and postal address, `list_id` and the
   address of your site.
2. **Look around.** The letters in `issues/` are samples, the list in `subscribers/sample.csv` is invented.

   ```sh
   newsletter db upgrade
   newsletter subscribers import subscribers/sample.csv --evidence "invented"
   newsletter check
   newsletter preview 2026-11-23-renew-your-goals     # in the browser; Ctrl-C ends it
   newsletter doctor
   ```

3. **Write your own.** Delete the samples you do not want, the series in `issues/series/welcome` too, or keep them
   as patterns: each of the five letters has another structure.

   ```sh
   newsletter new "A title" --date 2026-12-28
   newsletter check 2026-12-28-a-title
   newsletter approve 2026-12-28-a-title
   newsletter send 2026-12-28-a-title        # shows who gets it and when, asks, and sends what is due
   ```

4. **Choose a look.** `templates/letter` has a masthead, a frame and a marker pen; `templates/plain` looks as if
   somebody had typed it. Name one in `newsletter.toml` as `theme`, or copy one and make it yours.
5. **Keep it in Git**, in a private repository: `git init`, `git add .`, `git commit`. Addresses, keys and messages
   are in `.gitignore`, and `newsletter doctor` looks whether they stay out of Git's reach.
6. **Let it send by itself.** Set up a provider and a database that lasts, put the secrets into the repository's
   settings, and switch on `.github/workflows/send.yml`; its first lines say how. Or let a timer run `newsletter tick`.

`newsletter --help` lists the commands, and every command has a `--help` of its own.

## What is where

| | |
|---|---|
| `issues/` | the letters, their approvals, and series for those who join |
| `templates/` | the themes, and the calendar |
| `subscribers/` | the rules for groups of readers; the list itself is never in Git |
| `newsletter.toml` | the settings |
| `nl`, `requirements.txt`, `requirements.lock` | the program, at one version: `./nl check` is `newsletter check` |
| `.github/workflows/`, `scripts/` | what GitHub runs: sending, pausing a letter, noticing when ticks stop |
"""
