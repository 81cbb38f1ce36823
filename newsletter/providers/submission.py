"""The way into a submission server: connected, protected by TLS, signed in; all of it by smtplib."""

from __future__ import annotations

import ipaddress
import smtplib
import socket
import ssl

from newsletter.errors import ProviderBusy, ProviderRefused
from newsletter.providers.http import redacted
from newsletter.providers.pipeline import Line

CONNECT_S = 30.0


class Submission:
    """A server, and who we are to it; `security` is tls, starttls or none, which is for this machine only."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        security: str,
        username: str,
        password: str,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        """Remember it; nothing is opened yet. Raises ProviderRefused where mail would travel unprotected."""
        if security == "none" and not _is_here(host):
            raise ProviderRefused(
                "mail would travel unprotected", at="[smtp] security", hint='set it to "tls" or "starttls"'
            )
        self.place = f"{host}:{port}"
        self.signs_in = bool(username)
        self._host, self._port, self._security = host, port, security
        self._username, self._password = username, password
        self._ssl = ssl_context or ssl.create_default_context()

    def open(self) -> Line:
        """A connection, greeted, protected and signed in. Raises ProviderBusy or ProviderRefused."""
        try:
            client = self._client()
            try:
                if self._username:
                    _sign_in(client, self._username, self._password)
                return Line(client)
            except BaseException:
                client.close()
                raise
        except ssl.SSLCertVerificationError as err:
            hint = "look at [smtp] host: it must be the name in the certificate"
            raise ProviderRefused(
                f"its certificate does not hold: {err.verify_message}", at=self.place, hint=hint
            ) from None
        except smtplib.SMTPNotSupportedError:
            hint = "look at [smtp] security and username: the server does not offer what they need"
            raise ProviderRefused("it offers no STARTTLS or no way to sign in", at=self.place, hint=hint) from None
        except smtplib.SMTPAuthenticationError as err:
            said = redacted(f"{err.smtp_code} {_text(err.smtp_error)}")
            if err.smtp_code < 500:
                raise ProviderBusy(
                    f"it cannot let us in just now: {said}", at=self.place, hint="try again later"
                ) from None
            hint = "look at [smtp] username and NEWSLETTER_SMTP_PASSWORD"
            raise ProviderRefused(f"it does not let us in: {said}", at=self.place, hint=hint) from None
        except (smtplib.SMTPException, OSError) as err:
            said = (
                redacted(f"{err.smtp_code} {_text(err.smtp_error)}")
                if isinstance(err, smtplib.SMTPResponseException)
                else type(err).__name__
            )
            hint = "is it the right host and port, and is the network there?"
            raise ProviderBusy(f"it cannot be reached ({said})", at=self.place, hint=hint) from None

    def _client(self) -> smtplib.SMTP:
        if self._security == "tls":
            client: smtplib.SMTP = _TlsFromTheStart(self._host, self._port, timeout=CONNECT_S, context=self._ssl)
        else:
            client = smtplib.SMTP(self._host, self._port, timeout=CONNECT_S)
        try:
            client.ehlo()
            if self._security == "starttls":
                client.starttls(context=self._ssl)
                client.ehlo()
        except BaseException:
            client.close()
            raise
        return client


class _TlsFromTheStart(smtplib.SMTP_SSL):
    """As smtplib's, which forgets to close the socket of a handshake that fails."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout, self.source_address)
        try:
            return self.context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise


def _sign_in(client: smtplib.SMTP, username: str, password: str) -> None:
    """Sign in, by PLAIN where it is offered: one try, so that the answer is about the password."""
    if "PLAIN" not in client.esmtp_features.get("auth", "").upper().split():
        client.login(username, password)
        return
    client.user, client.password = username, password
    code, said = client.auth("PLAIN", client.auth_plain)
    if code not in (235, 503):
        raise smtplib.SMTPAuthenticationError(code, said)


def _is_here(host: str) -> bool:
    """Whether *host* is this machine, by name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
