"""Questions to DNS, with an end to every wait."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

import dns.exception
import dns.rcode
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT


class Unanswered(Exception):
    """DNS did not say; `reached` tells whether at least some server answered that it cannot."""

    def __init__(self, why: str, *, reached: bool) -> None:
        """Keep the reason, in a few words."""
        super().__init__(why)
        self.reached = reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """Whom to ask, and how long: without *servers*, whoever this machine asks."""

    servers: tuple[str, ...] = ()
    port: int = 53
    question_s: float = 3.0  # for one question, all tries together
    all_s: float = 9.0  # for all questions about a domain


class Names:
    """Asks, until the time for all questions is over."""

    def __init__(self, dns_: Dns) -> None:
        """Begin to count the time."""
        self._dns = dns_
        self._until = monotonic() + dns_.all_s

    def exists(self, name: str) -> bool:
        """Whether anything is known of a name, or of names under it. Raises Unanswered."""
        return self._ask(name, "SOA") is not None

    def texts(self, name: str) -> list[str]:
        """The TXT records of a name, each as one text; empty where there are none. Raises Unanswered."""
        return [
            b"".join(record.strings).decode(errors="replace")
            for record in self._ask(name, "TXT") or ()
            if isinstance(record, TXT)
        ]

    def mail_hosts(self, name: str) -> list[str]:
        """Who takes a domain's mail, best first; `.` is nobody (RFC 7505). Raises Unanswered."""
        records = [record for record in self._ask(name, "MX") or () if isinstance(record, MX)]
        found = sorted((record.preference, record.exchange.to_text()) for record in records)
        return [host.rstrip(".") or "." for _, host in found]

    def has_address(self, name: str) -> bool:
        """Whether there is a machine of that name. Raises Unanswered."""
        return bool(self._ask(name, "A") or self._ask(name, "AAAA"))

    def _ask(self, name: str, kind: str) -> list[object] | None:
        """The records of one kind; None where not even the name is known."""
        left = self._until - monotonic()  # once it is negative, the question is not asked any more
        try:
            answer = self._resolver().resolve(
                name, kind, lifetime=min(self._dns.question_s, left), search=False, raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return None
        except dns.resolver.NoNameservers as err:
            raise _refused(err) from None
        except dns.resolver.NoResolverConfiguration:
            raise Unanswered("this machine has no name servers set", reached=False) from None
        except dns.exception.Timeout:
            raise Unanswered("no answer in time", reached=False) from None
        except (dns.exception.DNSException, OSError) as err:  # e.g. a name that is too long
            raise Unanswered(type(err).__name__, reached=True) from None
        return list(answer.rrset or ())

    def _resolver(self) -> dns.resolver.Resolver:
        # One for each question: they are asked from several threads.
        resolver = dns.resolver.Resolver(configure=not self._dns.servers)
        if self._dns.servers:
            resolver.nameservers = list(self._dns.servers)
            resolver.port = self._dns.port
        resolver.timeout = self._dns.question_s / 2  # the second try is for a packet that was lost
        return resolver


def _refused(err: dns.resolver.NoNameservers) -> Unanswered:
    """Servers that said they cannot, or no way to any of them."""
    said = [response for *_, response in err.kwargs.get("errors", ()) if response is not None]
    if not said:
        return Unanswered("no way to a name server", reached=False)
    return Unanswered(f"the name server says {dns.rcode.to_text(said[0].rcode())}", reached=True)
