"""What a site really hands out: whether a page is there, and whether a file is the one we mean."""

from __future__ import annotations

import ipaddress
import socket
from hashlib import sha256
from time import monotonic
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from newsletter.sources.reach import ask

PATIENCE_S = 5.0  # for a connection, and for each piece of an answer
FILE_S = 20.0  # for a whole file
MAX_BYTES = 2_000_000  # no picture of ours is half as large


class Published:
    """Looks at the site at *site_url*. Every look gives back what is wrong, "" if nothing is."""

    def __init__(self, site_url: str) -> None:
        """Look at nothing else; addresses of a private network only where the site itself is on this machine."""
        self._site = site_url
        self._local = is_loopback(urlsplit(site_url).hostname or "")

    def page(self, url: str) -> str:
        """What is wrong with the page there: it is missing, or nobody answers."""
        return self._asked(url)[0]

    def file(self, url: str, digest: str) -> str:
        """What is wrong with the file there, which should have the SHA-256 *digest*."""
        wrong, place = self._asked(url)
        if wrong:
            return wrong
        try:
            found = _digest_of(place)
        except (requests.exceptions.RequestException, HTTPError):  # raw reads raise what is below requests
            return f"{url}: the connection broke"
        return "" if found == digest else f"{url} is not the picture that was approved"

    def _asked(self, url: str) -> tuple[str, str]:
        """What is wrong with *url*, and the address that answers for it after redirects on its own host."""
        if wrong := self._not_ours(url):
            return wrong, ""
        answer = ask(url, patience_s=PATIENCE_S)
        if answer.away:
            return f"{url} leads to {answer.away}", ""
        if answer.failed:
            return f"{url}: {answer.failed}", ""
        return (f"{url} answers {answer.status}", "") if answer.status != 200 else ("", answer.url)

    def _not_ours(self, url: str) -> str:
        """Why *url* is not asked: it is not the site's, or its name leads into a private network."""
        if not url.startswith(f"{self._site}/"):
            return f"{url} is not on {self._site}"
        if self._local:
            return ""
        parts = urlsplit(url)
        try:
            found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
        except OSError:
            return f"{url}: its name is not known here"
        if any(not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global for *_, address in found):
            return f"{url} leads into a private network, where readers cannot follow"
        return ""


def is_loopback(host: str) -> bool:
    """Whether *host* is this machine, by its name or its address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _digest_of(url: str) -> str:
    """The SHA-256 of what is there, "" if it is too large or too slow."""
    whole, count, until = sha256(), 0, monotonic() + FILE_S
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update({"User-Agent": "newsletter", "Accept-Encoding": "identity"})
        with session.get(url, timeout=PATIENCE_S, allow_redirects=False, stream=True) as response:
            # One read of the connection at a time: a larger one would wait, as long as drops keep coming.
            while piece := response.raw.read1(65_536):
                whole.update(piece)
                count += len(piece)
                if count > MAX_BYTES or monotonic() > until:
                    return ""
    return whole.hexdigest()
