"""SES version 2, as its API reference and the quotas page describe it (2026)."""

from __future__ import annotations

import json
import re
import uuid

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.cloud.resend import address
from tests.cloud.server import Call, Cloud, Delivered, Reply, json_of

ACCESS, SECRET, REGION = "AKIATESTSONLY0000000", "a-secret-for-tests-only", "eu-central-1"


def ses(cloud: Cloud, call: Call) -> Reply:
    """Answer a call."""
    if not signed(call):
        return error(403, "InvalidSignatureException", "The request signature we calculated does not match.")
    if call.path == "/v2/email/account":
        quota = {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 1200.0}
        return Reply(200, {"SendQuota": quota, "SendingEnabled": True, "ProductionAccessEnabled": True})
    asked = json_of(call)
    entries = asked["BulkEmailEntries"]
    if not 1 <= len(entries) <= 50:
        return error(400, "BadRequestException", "1 to 50 entries")
    taken, results = [], []
    for entry in entries:
        problem = wrong(entry)
        if problem:
            results.append({"Status": "INVALID_PARAMETER", "Error": problem})
        else:
            taken.append(merged(asked, entry))
            results.append({"Status": "SUCCESS", "MessageId": str(uuid.uuid4())})
    return Reply(200, {"BulkEmailEntryResults": results}, takes=tuple(taken))


def signed(call: Call) -> bool:
    """Whether the signature is the one that AWS's own library makes of this request."""
    found = call.headers.get("authorization", "")
    at = call.headers.get("x-amz-date", "")
    if not at or "/ses/aws4_request" not in found:
        return False
    headers = {"host": call.headers["host"]}
    if call.headers.get("content-type"):
        headers["content-type"] = call.headers["content-type"]
    request = AWSRequest(call.method, f"http://{call.headers['host']}{call.path}", headers, call.body)
    request.headers["X-Amz-Date"] = at
    request.context["timestamp"] = at
    signer = SigV4Auth(Credentials(ACCESS, SECRET), "ses", REGION)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return found.endswith(f"Signature={signature}")


def wrong(entry: dict) -> str:
    for header in entry.get("ReplacementHeaders", []):
        if not re.fullmatch(r"[ -~]{1,995}", header["Value"]):
            return f"Invalid header {header['Name']}"
    for tag in entry.get("ReplacementTags", []):
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag["Value"]):
            return "Invalid tag"
    to = address(entry["Destination"]["ToAddresses"][0])
    return f"Invalid address {to}" if to.endswith("@refused.example.org") or not to.isascii() else ""


def merged(asked: dict, entry: dict) -> Delivered:
    content = asked["DefaultContent"]["Template"]["TemplateContent"]
    data = json.loads(asked["DefaultContent"]["Template"]["TemplateData"])
    data |= json.loads(entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"])

    def fill(text: str) -> str:
        return re.sub(r"\{\{(\w+)\}\}", lambda found: str(data[found[1]]), text)

    tags = {tag["Name"]: tag["Value"] for tag in [*asked["DefaultEmailTags"], *entry["ReplacementTags"]]}
    return Delivered(
        provider="ses",
        run=tags["run"],
        ref=tags["ref"],
        to=address(entry["Destination"]["ToAddresses"][0]),
        subject=fill(content["Subject"]),
        html=fill(content["Html"]),
        text=fill(content["Text"]),
        headers={each["Name"]: each["Value"] for each in entry["ReplacementHeaders"]},
    )


def error(status: int, name: str, message: str) -> Reply:
    """An error in the form of AWS's JSON APIs."""
    return Reply(status, {"message": message}, {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/"})
