"""SES version 2, as its API reference and the quotas page describe it (2026)."""

from __future__ import annotations

import json
import re
import uuid
from base64 import b64decode, b64encode
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.cloud.resend import address
from tests.cloud.server import Call, Cloud, Delivered, Reply, json_of

REASONS = {"bounced": "BOUNCE", "complained": "COMPLAINT"}
ACCESS, SECRET, REGION = "AKIATESTSONLY0000000", "a-secret-for-tests-only", "eu-central-1"


def ses(cloud: Cloud, call: Call) -> Reply:
    """Answer a call."""
    if not signed(call):
        return error(403, "InvalidSignatureException", "The request signature we calculated does not match.")
    if call.method == "GET":
        return answered(cloud, call)
    asked = json_of(call)
    entries = asked["BulkEmailEntries"]
    shared = asked["DefaultContent"]["Template"]["Headers"]
    if any(problem(each) for each in shared) or not asked["FromEmailAddress"].isascii():
        return error(400, "BadRequestException", "Bad header")
    if not 1 <= len(entries) <= 50:
        return error(400, "BadRequestException", "1 to 50 entries")
    taken, results = [], []
    for entry in entries:
        trouble = wrong(entry, len(shared))
        if trouble:
            results.append({"Status": "INVALID_PARAMETER", "Error": trouble})
        else:
            taken.append(merged(asked, entry))
            results.append({"Status": "SUCCESS", "MessageId": str(uuid.uuid4())})
    return Reply(200, {"BulkEmailEntryResults": results}, takes=tuple(taken))


def answered(cloud: Cloud, call: Call) -> Reply:
    """What a question is answered."""
    if call.path == "/v2/email/account":
        quota = {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 1200.0}
        kept = {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
        return Reply(
            200,
            {
                "SendQuota": quota,
                "SendingEnabled": True,
                "ProductionAccessEnabled": True,
                "SuppressionAttributes": kept,
            },
        )
    if call.path.startswith("/v2/email/identities"):
        identity = {"IdentityType": "DOMAIN", "IdentityName": "letters.example.org", "SendingEnabled": True}
        return Reply(200, {"EmailIdentities": [identity]})
    if call.path.startswith("/v2/email/suppression/addresses?"):
        return suppressed(cloud, call)
    return error(404, "NotFoundException", "Not found")


def suppressed(cloud: Cloud, call: Call) -> Reply:
    """The account's suppression list since `StartDate`, in no order that is promised."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}
    since = datetime.fromisoformat(query["StartDate"]).timestamp()
    token = query.get("NextToken", "")
    try:
        first = int(b64decode(token, validate=True)) if token else 0
    except ValueError:
        return error(400, "InvalidNextTokenException", "The specified request includes an invalid or expired token.")
    found = [
        {"EmailAddress": each.to, "Reason": REASONS[each.what], "LastUpdateTime": each.at}
        for each in sorted(cloud.departed, key=lambda each: each.to)
        if each.what in REASONS and each.at >= since
    ]
    size = min(cloud.page, int(query["PageSize"]))
    data: dict[str, object] = {
        "SuppressedDestinationSummaries": found if cloud.endless else found[first : first + size]
    }
    if cloud.endless or first + size < len(found):
        data["NextToken"] = b64encode(f"{first + size}".encode()).decode()
    return Reply(200, data)


def signed(call: Call) -> bool:
    """Whether the signature is the one that AWS's own library makes of this request."""
    found = call.headers.get("authorization", "")
    at = call.headers.get("x-amz-date", "")
    if not at or "/ses/aws4_request" not in found:
        return False
    headers = {"host": call.headers["host"]}
    if call.headers.get("content-type"):
        headers["content-type"] = call.headers["content-type"]
    token = call.headers.get("x-amz-security-token")
    if token:
        headers["X-Amz-Security-Token"] = token
    request = AWSRequest(call.method, f"http://{call.headers['host']}{call.path}", headers, call.body)
    request.headers["X-Amz-Date"] = at
    request.context["timestamp"] = at
    signer = SigV4Auth(Credentials(ACCESS, SECRET, token), "ses", REGION)
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return found.endswith(f"Signature={signature}")


def problem(header: dict) -> str:
    good = re.fullmatch(r"[!-9;-~]{1,126}", header["Name"]) and re.fullmatch(r"[ -~]{1,995}", header["Value"])
    return "" if good else f"Invalid header {header['Name']}"


def wrong(entry: dict, shared: int) -> str:
    headers = entry.get("ReplacementHeaders", [])
    if len(headers) + shared > 15:
        return "Too many headers"
    for header in headers:
        if problem(header):
            return problem(header)
    if len(entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"]) > 262_144:
        return "Template data too long"
    for tag in entry.get("ReplacementTags", []):
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag["Value"]):
            return "Invalid tag"
    mailbox = entry["Destination"]["ToAddresses"][0]
    to = address(mailbox)
    return f"Invalid address {to}" if to.endswith("@refused.example.org") or not mailbox.isascii() else ""


def merged(asked: dict, entry: dict) -> Delivered:
    content = asked["DefaultContent"]["Template"]["TemplateContent"]
    headers = asked["DefaultContent"]["Template"]["Headers"] + entry["ReplacementHeaders"]
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
        headers={each["Name"]: each["Value"] for each in headers},
    )


def error(status: int, name: str, message: str) -> Reply:
    """An error in the form of AWS's JSON APIs."""
    return Reply(status, {"message": message}, {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/"})
