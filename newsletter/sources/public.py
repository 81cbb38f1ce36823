"""Which addresses are the public's: whatever a stranger's link says, nothing else is ever connected to."""

from __future__ import annotations

import socket
import threading
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

# Where IPv4 stands inside of IPv6: as it is mapped (RFC 4291), and as networks without IPv4 translate it (RFC 6052).
_HOLDS_IPV4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
_WORLD = IPv6Network("2000::/3")  # all there is of public IPv6 so far
# Parts of the two worlds that lead elsewhere: protocols, tunnels (Teredo, 6to4 and its relays), documentation.
_ELSEWHERE = tuple(
    ip_network(each)
    for each in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)


def is_public(text: str) -> bool:
    """Whether the address *text* belongs to the public Internet."""
    address = bare(text)
    if any(address in network for network in _ELSEWHERE if network.version == address.version):
        return False
    if isinstance(address, IPv6Address):
        return address in _WORLD and address.is_global
    return address.is_global and not address.is_multicast and not address.is_reserved


def bare(text: str) -> IPv4Address | IPv6Address:
    """The address that is meant: without a zone, and IPv4 where IPv6 only wraps it. Raises ValueError."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and any(address in network for network in _HOLDS_IPV4):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def addresses_of(host: str, port: int, *, patience_s: float) -> list[tuple[int, tuple[str, int]]]:
    """(family, address) of everything *host* stands for. Raises OSError, and TimeoutError where nobody says."""
    found: list[tuple[int, tuple[str, int]]] = []
    failed: list[Exception] = []

    def ask() -> None:
        try:
            for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                found.append((family, (str(address[0]), port)))
        except (OSError, ValueError) as err:  # a name that no resolver would take is a ValueError
            failed.append(err)

    # A daemon: the resolver of the system knows no deadline, and must not keep us.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(patience_s)
    if asking.is_alive():
        raise TimeoutError
    if failed:
        raise socket.gaierror(socket.EAI_NONAME, "no such name") if isinstance(failed[0], ValueError) else failed[0]
    return found
