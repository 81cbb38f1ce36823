"""A name server on loopback that says what it is told to, by UDP."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from newsletter.sources.names import Dns


class Nameserver:
    """Knows `zone`: {"TXT letters.monday.test": ["…"]}; what is not in it does not exist. A context manager."""

    def __init__(self, zone: dict[str, list[str]]) -> None:
        self.zone = zone
        self.rcodes: dict[str, str] = {}  # name -> what it fails with
        self.silent: set[str] = set()  # names about which it says nothing; "*" is all of them
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def dns(self, *, question_s: float = 1.0, all_s: float = 4.0) -> Dns:
        """How to ask it."""
        return Dns(servers=("127.0.0.1",), port=self.port, question_s=question_s, all_s=all_s)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            wire, whence = self._socket.recvfrom(4096)
            if not wire:
                return
            answer = self._answer(dns.message.from_wire(wire))
            if answer is not None:
                self._socket.sendto(answer.to_wire(), whence)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{kind} {name}")
        if name in self.silent or "*" in self.silent:
            return None
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if name in self.rcodes:
            answer.set_rcode(dns.rcode.from_text(self.rcodes[name]))
        elif records := self.zone.get(f"{kind} {name}"):
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *map(_quoted(kind), records)))
        elif not any(key.split()[1] == name or key.endswith(f".{name}") for key in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


def _quoted(kind: str):
    # What is quoted already is in several strings, as long records are.
    return lambda record: record if kind != "TXT" or record.startswith('"') else f'"{record}"'


def in_strings(record: str) -> str:
    """As long records stand in DNS: 255 bytes a string at most."""
    return " ".join(f'"{record[start : start + 255]}"' for start in range(0, len(record), 255))
