"""The state in Git: key, init, pull, push, rotate, recreate."""

from __future__ import annotations

from pathlib import Path

import click

from newsletter.app.keeping import Keeping, new_key
from newsletter.app.newsletter import Newsletter
from newsletter.cli.output import confirm, say, with_newsletter, yes_option


@click.group()
def state() -> None:
    """The state in Git: key, init, pull, push, rotate, recreate.

    For a newsletter without a server: its database, encrypted, as the one commit of a branch in a private repository.
    """


@state.command(short_help="Make a key for the state.")
def key() -> None:
    """Make a key: the secret one on stdout, the public one beside it."""
    secret, public = new_key()
    click.echo(secret)
    say(f"public key: {public}")
    say("The public key goes into newsletter.toml, [state] recipients; the secret one into NEWSLETTER_STATE_KEY.")
    say("Make another pair and keep its secret key offline, for the day on which the first is lost.")


@state.command(short_help="Make the branch; once in its life.")
@with_newsletter
def init(newsletter: Newsletter) -> None:
    """Make the branch, with the database that is here or an empty one; once in a newsletter's life."""
    Keeping(newsletter).begin()
    say(f"The state is on {newsletter.settings.state_remote} {newsletter.settings.state_branch}.")


@state.command(short_help="Write the database to FILE, as a backup.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_newsletter
def pull(newsletter: Newsletter, file: Path) -> None:
    """Write the database, as it is on the remote, to FILE: a backup, or to look into."""
    generation = Keeping(newsletter).pull(file)
    say(f"Generation {generation} is in {file}. It holds addresses and is not encrypted: keep it safe, or delete it.")


@state.command(short_help="Put the database in FILE back.")
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@yes_option
@with_newsletter
def push(newsletter: Newsletter, file: Path, yes: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Put the database in FILE, as from a backup, in the place of the state.

    Those who left since stay gone; whoever joined since is gone, too. A letter of which more was sent since than FILE
    knows is called off in it, as nobody could tell any more who has it. FILE itself stays as it is.
    """
    if not confirm("Replace the state by this file, and lose whoever joined since it was made?", yes=yes):
        say("Nothing was changed.")
        return
    generation, letters = Keeping(newsletter).push(file)
    say(f"The state is now generation {generation}.")
    for letter in letters:
        say(f"{letter} is called off for whoever has not got it: more of it was sent than this file knows.")


@state.command(short_help="Encrypt the state for other keys.")
@click.option("--to", "recipients", multiple=True, required=True, metavar="KEY", help="A public key; once for each.")
@with_newsletter
def rotate(newsletter: Newsletter, recipients: tuple[str, ...]) -> None:
    """Encrypt the state for other keys, who alone can read it from now on."""
    say(f"The state is now generation {Keeping(newsletter).rotate(recipients)}.")
    say("Next: put these keys into newsletter.toml, [state] recipients, and the secret one into NEWSLETTER_STATE_KEY.")


@state.command(short_help="Make the branch anew, without a past.")
@yes_option
@with_newsletter
def recreate(newsletter: Newsletter, yes: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Take the branch away and make it anew, so that nothing on the remote names an older state."""
    from newsletter.store.gitstate import CANNOT_ERASE

    if not confirm("Take the branch of the state away and make it anew?", yes=yes):
        say("Nothing was changed.")
        return
    say(f"The state is now generation {Keeping(newsletter).recreate()}.")
    say(CANNOT_ERASE)
