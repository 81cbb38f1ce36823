"""AWS Signature Version 4, made by botocore; nothing else of it is used, and it never opens a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from requests import PreparedRequest

    from newsletter.providers.http import Auth

_SERVICE = "ses"  # although its host is called email
_MADE = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")


def signer(*, region: str, access_key: str, secret_key: str, session_token: str) -> Auth:
    """What signs a request with the keys of a user, or of a session with its token."""
    auth = SigV4Auth(Credentials(access_key, secret_key, session_token or None), _SERVICE, region)

    def sign(request: PreparedRequest) -> PreparedRequest:
        headers = {"host": urlsplit(str(request.url)).netloc}
        if "Content-Type" in request.headers:
            headers["content-type"] = str(request.headers["Content-Type"])
        asked = AWSRequest(method=request.method, url=request.url, data=request.body or b"", headers=headers)
        auth.add_auth(asked)
        request.headers.update({name: str(asked.headers[name]) for name in _MADE if name in asked.headers})
        return request

    return sign
