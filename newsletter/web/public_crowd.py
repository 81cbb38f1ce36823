"""How often one may ask for a mail: counted in memory by where the question comes from, and written nowhere."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock

WITHIN_S = 15 * 60
AT_MOST = 40  # a whole office behind one address signs up after a talk; a flood is stopped all the same
AT_MOST_NEAR = 400  # from one IPv6 network of 48 bits, in which a single owner has 65,536 such places
_PLACES = 20_000


class Crowd:
    """Counts questions. Of an IPv6 network of 64 bits, which one household has, all addresses count as one."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self._lock = Lock()
        self._asked: OrderedDict[str, tuple[float, int]] = OrderedDict()  # place → since when, how often

    def lets(self, address: str | None, *, now_s: float) -> bool:
        """Whether who is at *address* may ask once more at *now_s*, which is counted."""
        with self._lock:
            near = self._count(f"near {_network(address, 48)}", now_s=now_s) if ":" in (address or "") else 0
            return near < AT_MOST_NEAR and self._count(place_of(address), now_s=now_s) < AT_MOST

    def _count(self, place: str, *, now_s: float) -> int:
        """How often somebody at *place* had asked before."""
        since, count = self._asked.pop(place, (now_s, 0))
        if now_s - since >= WITHIN_S:
            since, count = now_s, 0
        self._asked[place] = since, count + 1
        while len(self._asked) > _PLACES:
            self._asked.popitem(last=False)
        return count


def place_of(address: str | None) -> str:
    """What of an IP address stands for one household."""
    return _network(address, 64)


def _network(address: str | None, bits: int) -> str:
    """The IPv6 network of so many *bits* that *address* is in; an IPv4 address as it is."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return ""
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((int(found) >> 128 - bits << 128 - bits, bits)))
