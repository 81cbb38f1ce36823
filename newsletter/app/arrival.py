"""The look at the site before a letter leaves: whoever opens it finds its page and its pictures."""

from __future__ import annotations

from newsletter.app.carriers import takes_whole
from newsletter.errors import NewsletterError
from newsletter.rendering.edition import Edition
from newsletter.settings.read import Settings
from newsletter.usecases.inside import refuse_inside


def refuse_unpublished(edition: Edition, settings: Settings) -> None:
    """Raise NewsletterError if readers of *edition* would find its page missing, or a picture missing or another.

    Not asked where nobody is mailed, or where `[site] check` is off.
    """
    refuse_inside(edition, takes_whole=takes_whole(settings))  # the provider may be another than when it was approved
    if settings.provider == "outbox" or not settings.site_check:
        return
    from newsletter.sources.published import Published  # brings requests along

    published = Published(edition.archive_url.rpartition("/letters/")[0])
    outside = {image.address: image.digest for image in edition.images if not image.data}
    found = [published.page(edition.archive_url), *(published.file(*each) for each in sorted(outside.items()))]
    wrong = [each for each in found if each]
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        hint = "newsletter site build makes it: put the folder on your site, then send; or [site] check = false"
        raise NewsletterError(f"not ready on the site: {wrong[0]}{more}", at=edition.issue_id, hint=hint)
