"""One SMTP connection that breaks in the middle of sending: what may have left, to the octet."""

from __future__ import annotations

import smtplib
import ssl

from newsletter.delivery.message import Row
from newsletter.providers.pipeline import Envelope, Line

RECORD = 16384  # octets; what travels in one record of TLS arrives whole or not at all


class Records(ssl.SSLSocket):
    """A line under TLS that carries so many records and then breaks, having told nobody what it carried."""

    def __init__(self, records: int) -> None:
        self.left, self.arrived, self.incoming = records, b"", b""

    def settimeout(self, value: float | None) -> None:
        """It never waits."""

    def setsockopt(self, *_: object) -> None:  # type: ignore[override]
        """It has no options."""

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        said, self.incoming = self.incoming, b""
        if not said:
            raise ssl.SSLWantReadError
        return said

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        for start in range(0, len(data), RECORD):
            if not self.left:
                raise ConnectionResetError
            self.left -= 1
            self.arrived += data[start : start + RECORD]
        return len(data)


def envelope(seq: int, size: int) -> Envelope:
    """A message of *size* octets, its end included."""
    row = Row(seq=seq, ref=f"1-{seq}", address=f"a{seq}@example.org", name="", variant=0, values={})
    return Envelope(row=row, mail=b"MAIL\r\n", rcpt=b"RCPT\r\n", data=b"x" * (size - 5) + b"\r\n.\r\n")


def broken_after(records: int, *, size: int) -> tuple[Records, Line]:
    """A line that sent two messages, the first of *size* octets, and broke."""
    sock = Records(records)
    client = smtplib.SMTP()
    client.sock, client.esmtp_features = sock, {"pipelining": ""}
    line = Line(client)
    todo = [envelope(1, size), envelope(2, 100)]
    line.begin(lambda: todo.pop(0) if todo else None)
    line.exchange()
    sock.incoming = b"250 ok\r\n250 ok\r\n354 go on\r\n"
    for _ in range(5):
        line.exchange()
    return sock, line


def test_a_message_whose_end_left_before_tls_broke_is_in_doubt() -> None:
    """The end is in the second record, and the third, with the next message's commands, is what breaks."""
    sock, line = broken_after(3, size=2 * RECORD)
    assert line.broken
    assert sock.arrived.endswith(b"\r\n.\r\n")
    may, not_yet = line.rows
    assert [row.seq for row in may] == [1]
    assert [row.seq for row in not_yet] == [2]


def test_a_message_whose_end_did_not_leave_goes_again() -> None:
    sock, line = broken_after(2, size=2 * RECORD)
    assert line.broken
    assert not sock.arrived.endswith(b".\r\n")
    assert [[row.seq for row in rows] for rows in line.rows] == [[], [1, 2]]
