"""How often one may ask for a mail: counted in memory by where the question comes from, and written nowhere."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network
from threading import Lock

WITHIN_S = 15 * 60
AT_MOST = 40  # a whole office behind one address signs up after a talk; a flood is stopped all the same
_PLACES = 20_000


class Crowd:
    """Counts questions. Of an IPv6 network of 64 bits, which one household has, all addresses count as one."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self._lock = Lock()
        self._asked: OrderedDict[str, tuple[float, int]] = OrderedDict()  # place → since when, how often

    def lets(self, address: str | None, *, now_s: float) -> bool:
        """Whether who is at *address* may ask once more at *now_s*, which is counted."""
        place = place_of(address)
        with self._lock:
            since, count = self._asked.pop(place, (now_s, 0))
            if now_s - since >= WITHIN_S:
                since, count = now_s, 0
            self._asked[place] = since, count + 1
            while len(self._asked) > _PLACES:
                self._asked.popitem(last=False)
        return count < AT_MOST


def place_of(address: str | None) -> str:
    """What of an IP address stands for one household."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return ""
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or ip_network((int(found) >> 64 << 64, 64)))
