"""A letter in the browser while it is being written: preview."""

from __future__ import annotations

import sys

import click

from newsletter.app.previewing import Previewing
from newsletter.app.signals import until_stopped
from newsletter.cli.output import root_of, say


@click.command()
@click.argument("issue", metavar="[ISSUE]", required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port; else a free one is taken.")
@click.option("--no-open", is_flag=True, help="Open no browser, only print the address.")
@click.pass_context
def preview(ctx: click.Context, issue: str | None, port: int, no_open: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Show a letter in the browser, and again at every save.

    Without ISSUE, all letters to choose from. Only this machine can see the page, and only by the address that is
    printed; it changes nothing. Ctrl-C ends it. Example: newsletter preview 2026-11-23-renew-your-goals
    """
    with Previewing(root_of(ctx)) as desk:
        page = f"letters/{desk.view(issue).issue_id}" if issue else ""
        # Flask, only where there are pages to answer with.
        from newsletter.web.loopback import HOST, new_word
        from newsletter.web.preview import preview_app
        from newsletter.web.serving import listen, serve

        listening = listen(port)
        port, word = listening.getsockname()[1], new_word()
        with until_stopped() as stop:
            hosts = frozenset({f"{HOST}:{port}", f"localhost:{port}"})
            app = preview_app(desk, word=word, hosts=hosts, stop=stop.is_set)
            url = f"http://{HOST}:{port}/{word}/{page}"
            click.echo(url)
            say("Save the letter and look. Ctrl-C ends it.")
            if sys.stdout.isatty() and not no_open:
                import webbrowser

                webbrowser.open(url)
            serve(app, listening, stop)
    say("Ended; the address is good for nothing any more.")
