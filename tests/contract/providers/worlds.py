"""Peers that take whole messages, as the contract sees them: a folder, and an SMTP server."""

from __future__ import annotations

from email import policy
from email.parser import BytesParser
from pathlib import Path

from tests.cloud.server import Delivered
from tests.cloud.smtp import Script, Server
from tests.contract.providers.contract import World


class FolderWorld(World):
    """An outbox."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def accepted(self) -> list[Delivered]:
        return [delivered(path.read_bytes()) for path in sorted(self.folder.glob("*/*.eml"))]


class SmtpWorld(World):
    """A mail server that knows nobody at refused.example.org."""

    def __init__(self) -> None:
        self._fault = ""
        self.server = Server(Script(replies=self._reply))

    def accepted(self) -> list[Delivered]:
        return [delivered(mail.data) for mail in self.server.mails]

    def fails(self, *faults: str) -> None:
        (self._fault,) = faults

    def _reply(self, step: str, to: str) -> str:
        if step == "RCPT" and to.endswith("@refused.example.org"):
            return f"550 5.1.1 <{to}>: nobody is called that here"
        return self._fault if step == "DOT" else ""


def delivered(raw: bytes) -> Delivered:
    """A whole message, read as its recipient's mailbox would."""
    message = BytesParser(policy=policy.default).parsebytes(raw)
    html, text = (message.get_body((kind,)) for kind in ("html", "plain"))
    assert html
    assert text
    return Delivered(
        provider="",
        run="",
        ref=message["Message-ID"].strip("<>").partition("@")[0],
        to=message["To"].addresses[0].addr_spec,
        subject=message["Subject"],
        html=html.get_content(),
        text=text.get_content(),
        headers={name: str(value) for name, value in message.items()},
    )
