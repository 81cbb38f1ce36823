"""The public pages: serve."""

from __future__ import annotations

import click

from newsletter.app.newsletter import Newsletter
from newsletter.app.signals import until_stopped
from newsletter.cli.output import say, with_newsletter


@click.command()
@with_newsletter
def serve(newsletter: Newsletter) -> None:
    """Answer on the public pages: sign-up, leaving, and each reader's own page.

    It listens where [serve] says and stays until it is stopped. Readers reach it through a server of yours that
    speaks HTTPS; the operations guide shows how. Example: newsletter serve
    """
    from newsletter.web.public import public_pages  # Flask, only where there are pages to answer with
    from newsletter.web.public_serving import listen
    from newsletter.web.public_serving import serve as answer

    settings = newsletter.settings
    pages = public_pages(newsletter)
    listening = listen(settings.serve_host, settings.serve_port)
    with until_stopped() as stop:
        say(f"Listening at {settings.serve_host}:{settings.serve_port} for {settings.site_url}. Ctrl-C ends it.")
        answer(pages, listening, stop)
    say("Ended.")
