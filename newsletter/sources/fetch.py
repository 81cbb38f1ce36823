"""What addresses of strangers give: fetched with an end to everything, and from nowhere but the public Internet.

Feeds and links come from outside, and whoever writes them may point them at machines that only we can reach, answer
for ever, or answer with more than there is room for. Names are resolved here and the checked address is the one that
is connected to, so that a name cannot mean something else a moment later; every redirect goes through the same.
"""

from __future__ import annotations

import re
import zlib
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from newsletter.sources.calls import Call, CallAdapter, Limits, Stopped
from newsletter.sources.causes import in_words

_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 65536
_MAX_WAIT = timedelta(days=7)  # nobody is obeyed for longer
_GZIP = b"\x1f\x8b"
_VALIDATOR = re.compile(r"[\x20-\x7e]{1,500}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What an address answered, or in `failed` why there is nothing."""

    failed: str = ""
    status: int = 0
    url: str = field(default="", repr=False)  # where it came from in the end
    media_type: str = ""
    body: bytes = field(default=b"", repr=False)
    etag: str = ""
    modified: str = ""
    wait: timedelta | None = None  # how long it asks us to stay away


class Fetcher:
    """Fetches; each call is on its own, without cookies, credentials or proxies of the environment."""

    def __init__(self, *, agent: str, limits: Limits | None = None) -> None:
        """Say to be *agent*, and keep within *limits*."""
        self._agent = agent
        self._limits = limits or Limits()

    def get(self, url: str, *, etag: str = "", modified: str = "", loopback: bool = False) -> Fetched:
        """What *url* answers; with the validators of an earlier answer, a 304 if nothing changed since.

        With *loopback*, its own host and port may be on this machine. Redirects of it may not lead to another.
        """
        conditions = {"If-None-Match": etag, "If-Modified-Since": modified}
        return self._fetch(url, {name: value for name, value in conditions.items() if value}, loopback=loopback)

    def look(self, url: str) -> Fetched:
        """The same without reading the body, for whoever only wants to know whether something is there."""
        return self._fetch(url, {}, body=False)

    def _fetch(self, url: str, headers: dict[str, str], *, loopback: bool = False, body: bool = True) -> Fetched:
        headers = {"User-Agent": self._agent, "Accept": "*/*", "Accept-Encoding": "gzip, deflate", **headers}
        with Call(self._limits) as call:
            try:
                if loopback:
                    call.at_home = _host_and_port(url)
                return self._follow(call, url, headers, body=body)
            except Stopped as err:
                words = str(err)
            except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError, zlib.error) as err:
                words = "its address is none" if _is_no_address(err) else in_words(err)[0]
            return Fetched(failed=call.too_late or words)

    def _follow(self, call: Call, url: str, headers: dict[str, str], *, body: bool) -> Fetched:
        # The adapter and no session: a session reads the whole body of a redirect, of whatever size, and keeps cookies.
        with closing(CallAdapter(call)) as adapter:
            for _ in range(self._limits.redirects + 1):
                _host_and_port(url)
                request = requests.Request("GET", url, headers=headers).prepare()
                with adapter.send(request, stream=True, timeout=self._limits.total_s) as response:
                    to = response.headers.get("Location", "")
                    if response.status_code not in _REDIRECTS or not to:
                        found = _fetched(response, url, self._limits.max_bytes if body else 0)
                        if call.too_late:  # a cut-off line looks like the end of the answer
                            raise Stopped(call.too_late)
                        return found
                url = _target(url, to)
            raise Stopped(f"it redirects more than {self._limits.redirects} times")


def _is_no_address(err: Exception) -> bool:
    kinds = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema)
    return isinstance(err, kinds)


def _host_and_port(url: str) -> tuple[str, int]:
    """Whom *url* leads to. Raises Stopped where it is none that we follow."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise Stopped("its address, or where it redirects to, is no http:// or https:// address")
    if parts.username is not None or parts.password is not None:
        raise Stopped("its address, or where it redirects to, holds a user's name")
    return host, port or (443 if parts.scheme == "https" else 80)


def _target(url: str, to: str) -> str:
    try:
        return urljoin(url, to.encode("latin-1").decode("utf-8", "replace"))  # a header's bytes come as Latin-1
    except ValueError:
        raise Stopped("it redirects to what is no address") from None


def _fetched(response: requests.Response, url: str, max_bytes: int) -> Fetched:
    """The answer, with at most *max_bytes* of a body."""
    fields = response.headers
    good = response.status_code == 200
    return Fetched(
        status=response.status_code,
        url=url,
        media_type=fields.get("Content-Type", "")[:200],
        body=_body(response, max_bytes) if good and max_bytes else b"",
        etag=_validator(fields.get("ETag", "")),
        modified=_validator(fields.get("Last-Modified", "")),
        wait=None if good else _wait(fields.get("Retry-After", "")),
    )


def _validator(value: str) -> str:
    return value if _VALIDATOR.fullmatch(value) else ""


def _wait(value: str) -> timedelta | None:
    try:
        if re.fullmatch("[0-9]+", value):
            return min(timedelta(seconds=int(value[:9])), _MAX_WAIT)
        asked = parsedate_to_datetime(value) - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(asked, timedelta(0)), _MAX_WAIT)


def _body(response: requests.Response, max_bytes: int) -> bytes:
    """The body, unpacked. Raises Stopped where either is too large, before it is in memory."""
    if int(response.headers.get("Content-Length") or 0) > max_bytes:
        raise _too_large(max_bytes)
    packed = bytearray()
    try:
        # Packed as it comes, and through http.client, whose lines have limits where those of urllib3 have none.
        while chunk := response.raw.read(_CHUNK, decode_content=False):
            packed += chunk
            if len(packed) > max_bytes:
                raise _too_large(max_bytes)
    except (HTTPError, HTTPException, OSError, ValueError) as err:
        raise Stopped("its answer was cut off") from err
    match response.headers.get("Content-Encoding", "").strip().lower():
        case "" | "identity":
            return bytes(packed)
        case "gzip" | "x-gzip" | "deflate":
            return _unpacked(bytes(packed), max_bytes)
        case _:
            raise Stopped("its answer is packed in a way that was not asked for")


def _too_large(max_bytes: int) -> Stopped:
    return Stopped(f"its answer is larger than {max_bytes / 1_000_000:g} MB")


def _unpacked(packed: bytes, max_bytes: int) -> bytes:
    """What gzip (one part or many) or deflate (with its header or bare) made *packed* from."""
    out = bytearray()
    while packed:
        bare_deflate = packed[0] & 0x0F != 8 and packed[:2] != _GZIP  # zlib's first byte says method 8
        unpack = zlib.decompressobj(-zlib.MAX_WBITS if bare_deflate else zlib.MAX_WBITS | 32)
        try:
            out += unpack.decompress(packed, max_bytes + 1 - len(out))
        except zlib.error:
            raise Stopped("its answer cannot be unpacked") from None
        if len(out) > max_bytes:
            raise _too_large(max_bytes)
        if not unpack.eof:
            raise Stopped("its answer was cut off")
        packed = unpack.unused_data if unpack.unused_data[:2] == _GZIP else b""  # some pad with zeros
    return bytes(out)
