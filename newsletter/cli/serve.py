"""The public pages: serve."""

from __future__ import annotations

import threading
from time import monotonic

import click

from newsletter.app.newsletter import Newsletter
from newsletter.app.signals import until_stopped
from newsletter.cli.main import show_bug
from newsletter.cli.output import say, with_newsletter
from newsletter.errors import NewsletterError

SOON_S, LATER_S = 2, 60  # until it is looked again for mails that wait; after one that could not leave
FRESH_S = 60  # for so long mails are made as they were: of their texts, and the newest letter, as it was then


@click.command()
@with_newsletter
def serve(newsletter: Newsletter) -> None:
    """Answer on the public pages: sign-up, leaving, and each reader's own page.

    It listens where [serve] says, mails who asked for a mail, and stays until it is stopped. Readers reach it through
    a server of yours that speaks HTTPS; the operations guide shows how. Example: newsletter serve
    """
    from newsletter.web.public import public_pages  # Flask, only where there are pages to answer with
    from newsletter.web.public_serving import listen
    from newsletter.web.public_serving import serve as answer

    settings = newsletter.settings
    pages = public_pages(newsletter)
    listening = listen(settings.serve_host, settings.serve_port)
    with until_stopped() as stop:
        mailing = threading.Thread(target=_mail, args=(newsletter, stop))
        mailing.start()
        say(f"Listening at {settings.serve_host}:{settings.serve_port} for {settings.site_url}. Ctrl-C ends it.")
        try:
            answer(pages, listening, stop)
        finally:
            stop.set()
            mailing.join()
    say("Ended.")


def _mail(newsletter: Newsletter, stop: threading.Event) -> None:
    """Send the mails that visitors asked for, until *stop* is set, whatever becomes of one of them."""
    from newsletter.app.answering import Answering

    wait_s, said = SOON_S, ""
    answering, since = Answering(newsletter), monotonic()
    while not stop.wait(wait_s):
        wait_s = LATER_S
        try:
            if monotonic() - since >= FRESH_S:
                answering, since = Answering(newsletter), monotonic()
            answering.work_once(stop)
            wait_s = SOON_S
        except NewsletterError as problem:
            if str(problem) != said:  # once, and not every minute
                said = str(problem)
                say(f"A mail could not leave: {said}" + (f" ({problem.hint})" if problem.hint else ""))
        except Exception as err:  # noqa: BLE001 - the pages go on, and so does this
            show_bug(err, verbose=False)
