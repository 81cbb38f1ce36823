"""Whether pages answer from here, and what their clock says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

import requests

from newsletter.sources.causes import in_words
from newsletter.sources.finding import Finding, error, fine, warning

PATIENCE_S = 5.0
_HOPS = 3
_NO_HEAD = (400, 403, 404, 405, 501)  # what servers say that know no HEAD; the GET decides
_REDIRECTS = (301, 302, 303, 307, 308)
SKEW = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an address answered: a status, or `away` (another host), or why there was no answer."""

    status: int = 0
    url: str = ""  # of what answered, after all redirects
    away: str = ""
    failed: str = ""
    offline: bool = False  # it failed for want of a network or a name
    ahead: timedelta | None = None  # by how much our clock is ahead of theirs


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - as it is inherited
        """None: requests would prepare the next call, and for that read the body of the redirect, however long."""
        return None


def ask(url: str, *, patience_s: float = PATIENCE_S) -> Answer:
    """What *url* answers to HEAD, else to GET; redirects are followed on its own host only."""
    with _Session() as session:
        session.trust_env = False  # no .netrc may slip in credentials
        session.headers["User-Agent"] = "newsletter-doctor"
        try:
            answer = _ask(session, "HEAD", url, patience_s)
            return _ask(session, "GET", url, patience_s) if answer.status in _NO_HEAD else answer
        except requests.exceptions.SSLError:
            return Answer(failed="its certificate is not valid for this name")
        except requests.exceptions.Timeout:
            return Answer(failed=f"no answer in {patience_s:g} seconds")
        except requests.exceptions.RequestException as err:
            return _failed(err)
        except ValueError:  # of urllib, for a Location that is none
            return Answer(failed="it redirects to what is no address")


def _ask(session: requests.Session, method: str, url: str, patience_s: float) -> Answer:
    here = urlsplit(url)
    for _ in range(_HOPS + 1):
        # Streamed and closed: a page of any size is not read.
        with session.request(method, url, timeout=patience_s, allow_redirects=False, stream=True) as response:
            ahead = _ahead(response)
            if response.status_code not in _REDIRECTS or "Location" not in response.headers:
                return Answer(status=response.status_code, url=url, ahead=ahead)
            url = urljoin(url, response.headers["Location"])
        there = urlsplit(url)
        if (there.scheme, there.netloc.lower()) != (here.scheme, here.netloc.lower()):
            return Answer(away=_origin(there.scheme, there.hostname), ahead=ahead)
    return Answer(failed="it redirects in a circle")


def _origin(scheme: str, host: str | None) -> str:
    """Where a redirect leads, without path or user, which may hold anything."""
    return f"{ascii(scheme)[1:-1]}://{ascii(host or '')[1:-1]}"


def _ahead(response: requests.Response) -> timedelta | None:
    """By how much our clock is ahead of the server's, as far as its Date header tells."""
    try:
        said = parsedate_to_datetime(response.headers["Date"])
        age = timedelta(seconds=int(response.headers.get("Age", "0")))  # what a cache kept is as old as it says
        return datetime.now(UTC) - (said + age)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def _failed(err: BaseException) -> Answer:
    words, offline = in_words(err)
    return Answer(failed=words, offline=offline)


def site(url: str, answer: Answer) -> Finding:
    """Whether the pages that letters lead to are there."""
    fix = "look at the server, and at [site] url"
    if answer.away:
        return warning("site", f"{url} leads to {answer.away}", "set [site] url to where the pages really are")
    if found := _no_answer("site", url, answer, fix):
        return found
    if answer.status >= 400:
        return warning("site", f"{url} answers {answer.status}", fix)
    return fine("site", f"{url} answers")


def leave_page(url: str, answer: Answer) -> Finding:
    """Whether readers can leave. The address is that of a proof, whose link belongs to nobody."""
    fix = 'let it answer there, or set [leave] mode = "mailto"'
    if answer.away:
        detail = f"{url} leads to {answer.away}; mailboxes follow no redirect (RFC 8058)"
        return error("leave page", detail, "let [site] url be where the page really is")
    if found := _no_answer("leave page", url, answer, fix):
        return found
    if answer.status >= 500 or answer.status in (401, 403):
        return error("leave page", f"{url} answers {answer.status}; nobody could leave", fix)
    if answer.status >= 400:
        detail = f"{url} answers {answer.status}, which is right only where it refuses a link it does not know"
        return warning("leave page", detail, "open the link to leave in a letter of yours, and look")
    return fine("leave page", f"{url} answers")


def _no_answer(what: str, url: str, answer: Answer, fix: str) -> Finding | None:
    if answer.offline:
        return warning(what, f"{url} was not looked at: {answer.failed}", "look again with a network")
    return error(what, f"{url}: {answer.failed}", fix) if answer.failed else None


def clock(detail: str, ahead: timedelta | None) -> Finding:
    """Whether the machine's clock agrees with a server's; *detail* is what our clock says."""
    if ahead is None or abs(ahead) <= SKEW:
        return fine("clock", detail)
    side = "ahead of" if ahead > timedelta(0) else "behind"
    fix = "set the clock (NTP): letters leave by it, and providers refuse calls at a wrong time"
    return warning("clock", f"{detail}, {abs(ahead.total_seconds()):,.0f} seconds {side} the site's", fix)
