"""The one way to a provider's API over HTTP: what certainly did not leave is told from what may have.

A POST is made once. Where the line breaks before the request can have left, the provider is busy; where it
breaks after that, or the answer cannot be read, the call is in doubt, and only the adapter knows what that
means for its recipients. No text that comes from here holds a secret or an address.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import requests

from newsletter.errors import NewsletterError, ProviderBusy, ProviderRefused
from newsletter.pieces import one_line
from newsletter.providers.connections import Departure, TellingAdapter, ours
from newsletter.providers.records import Record

CONNECT_S = 10.0
CALL_S = 60.0  # all of a call; a lease is twice as long
STOP_S = 5.0  # how long a call in flight may still take once the operator asked to stop
BODY_LIMIT = 8 * 1024 * 1024  # of an answer
LONGEST_WAIT = timedelta(days=1)  # that we believe: nobody is asked to leave a provider alone for months
_LOOK_S = 0.1
_NETWORK = "is the network there?"

Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]


class DoubtfulCall(Exception):
    """The request may have arrived, and nobody knows what came of it."""


class Answer(NamedTuple):
    """What came back: `data` is the parsed JSON, None if it was none."""

    status: int
    headers: Mapping[str, str]
    data: Any

    def text(self, *names: str) -> str:
        """The first of these fields that is a text; redacted, on one line."""
        found = next((each for name in names if isinstance(each := self.record.get(name), str)), None)
        return f"HTTP {self.status}" if found is None else redacted(found)

    @property
    def record(self) -> Record:
        """The object that came back, or an empty one."""
        return self.data if isinstance(self.data, dict) else {}

    @property
    def wait(self) -> timedelta | None:
        """How long it asks us to wait: Retry-After in seconds or as a date, else ratelimit-reset in seconds."""
        said = (self.headers.get(name) for name in ("Retry-After", "ratelimit-reset"))
        waits = (read_wait(asked, now=datetime.now(UTC)) for asked in said if asked)
        return next((wait for wait in waits if wait is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """Calls to one API. `stop` says whether the operator asked to stop."""

    name: str
    url: str
    auth: Auth
    stop: Callable[[], bool]
    call_s: float = CALL_S
    session: requests.Session

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer to one POST. Raises DoubtfulCall, ProviderBusy if nothing left, and ProviderRefused.

        Only a 200 says what was taken, and only a 3xx or 4xx that nothing was. A 202 or 204, an interim answer,
        and whatever a gateway says of a server behind it (502, 504, 524) are in doubt, in whatever words.
        """
        answer = self._call("POST", path, body, headers)
        if answer.status != 200 and not 300 <= answer.status < 500:
            raise DoubtfulCall(f"{self.name} failed: {answer.text('message', 'Message')}")
        return answer

    def get(self, path: str) -> Answer:
        """The answer to a GET. Raises ProviderBusy if there is none; asking again does no harm."""
        try:
            return self._call("GET", path, None, {"Accept": "application/json"})
        except DoubtfulCall as err:
            raise ProviderBusy(f"{self.name} did not answer: {err}", hint="try again later") from None

    def close(self) -> None:
        """Close its connections."""
        self.session.close()

    def _call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Make a call in a thread of its own, so that a silent server cannot hold us beyond our time."""
        future: Future[Answer] = Future()
        departure = Departure()

        def work() -> None:
            ours.departure = departure
            try:
                future.set_result(self._exchange(method, path, body, headers))
            except BaseException as err:  # noqa: BLE001 - handed on to whoever waits
                future.set_exception(err)

        threading.Thread(target=work, name=f"{self.name}-call", daemon=True).start()
        return self._awaited(future, departure)

    def _awaited(self, future: Future[Answer], departure: Departure) -> Answer:
        until = time.monotonic() + self.call_s
        stopping = False
        while True:
            try:
                return future.result(timeout=_LOOK_S)
            except TimeoutError:
                now = time.monotonic()
                if self.stop() and not stopping:
                    stopping, until = True, min(until, now + STOP_S)
                if now >= until:
                    why = "stopped before it answered" if stopping else f"no answer in {self.call_s:.0f} seconds"
                    if departure.call_off():
                        raise ProviderBusy(f"{self.name} was not reached: {why}", hint=_NETWORK) from None
                    raise DoubtfulCall(why) from None

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        url = path if path.startswith(f"{self.url}/") else self.url + path
        try:
            with self.session.request(
                method,
                url,
                data=body,
                headers={"User-Agent": "newsletter", **headers},
                auth=self.auth,
                timeout=(CONNECT_S, self.call_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                raw = response.raw.read(BODY_LIMIT + 1, decode_content=True)
                answer = Answer(response.status_code, response.headers, _parsed(raw))
        except Exception as err:  # noqa: BLE001 - of requests, of urllib3 while the answer was read, or of ours
            if ours.departure.left:
                raise DoubtfulCall(f"the line broke ({type(err).__name__})") from None
            raise self._unsent(err) from None
        if answer.status < 200:
            # The true answer is yet to come, and must not be taken for that of the next call.
            self.session.close()
        return answer

    def _unsent(self, err: Exception) -> NewsletterError:
        """What it means that a request could not even be begun."""
        if isinstance(err, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(err):
            return ProviderRefused(
                f"{self.name} cannot be trusted: its certificate does not hold", hint="look at [provider] and the clock"
            )
        if isinstance(err, requests.exceptions.ConnectionError | requests.exceptions.Timeout):
            return ProviderBusy(f"{self.name} cannot be reached", hint=_NETWORK)
        return ProviderRefused(
            f"{self.name} cannot be called ({type(err).__name__})",
            hint="look at its url in newsletter.toml, and for stray characters in its key",
        )


def connect(name: str, url: str, auth: Auth, stop: Callable[[], bool], *, call_s: float = CALL_S) -> Http:
    """A way to the API at *url*, with connections that are kept and nothing that is tried twice."""
    session = requests.Session()
    session.trust_env = False  # no .netrc may slip in other credentials
    session.mount("http://", TellingAdapter())
    session.mount("https://", TellingAdapter())
    return Http(name=name, url=url.rstrip("/"), auth=auth, stop=stop, call_s=call_s, session=session)


def bearer(key: str) -> Auth:
    """Authorization by a bearer token."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {key}"
        return request

    return sign


def to_json(data: object) -> bytes:
    """*data* as compact JSON, the same bytes every time."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def read_wait(asked: str, *, now: datetime) -> timedelta | None:
    """A wait in seconds or until a date of mail or HTTP, at most LONGEST_WAIT; None if it is neither."""
    if re.fullmatch(r"[0-9]{1,7}(\.[0-9]+)?", asked.strip()):
        return min(timedelta(seconds=float(asked)), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(asked)
        wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), LONGEST_WAIT)


# In a server's words: an address, however it is written; where on a host a link leads, for ours are personal; and keys.
_ADDRESS = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|[^\s<>"'(),;:]+)(?:@|\uff20|%40|&\#64;)\s*[^\s<>"'(),;:]+""")
_MOST_READ = 2000  # characters: the patterns take a time that grows with the square of a word's length
_LINK = re.compile(r"""(https?://[^\s/?#<>"']+)[/?#][^\s<>"']*""", re.IGNORECASE)
_SECRET = re.compile(
    r"\b(?:re_|key-|SG\.|AKIA|ASIA)[A-Za-z0-9_.-]{6,}|\b[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}\b"
    r"|(?i:\b(?:bearer|basic)\s+\S+|(?<=security-token:)\S+)"
)


def redacted(text: str) -> str:
    """*text* on one line of at most 200 characters, without addresses, personal links and keys."""
    return _SECRET.sub("…", _ADDRESS.sub("…", _LINK.sub(r"\1/…", one_line(text[:_MOST_READ]))))[:200]


def _parsed(raw: bytes) -> Any:  # noqa: ANN401 - JSON
    if len(raw) > BODY_LIMIT:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return None
