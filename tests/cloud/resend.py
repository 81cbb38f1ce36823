"""Resend, as its documentation describes it (openapi 1.5.0, August 2026)."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from tests.cloud.server import Call, Cloud, Delivered, Reply, digest_of, json_of

KEY = "re_a_key_for_tests_only"
LIMIT = 100
ORIGINS = {"left": "manual", "bounced": "bounce", "complained": "complaint"}


def resend(cloud: Cloud, call: Call) -> Reply:
    """Answer a call."""
    if not call.headers.get("user-agent"):
        return error(403, "validation_error", "a User-Agent is needed")
    if call.headers.get("authorization") != f"Bearer {KEY}":
        return error(403, "invalid_api_key", "API key is invalid")
    if call.path == "/domains":
        return Reply(200, {"data": [{"name": "letters.example.org", "status": "verified"}]})
    if call.path.startswith("/suppressions"):
        return suppressions(cloud, call)
    if call.path != "/emails/batch":
        return error(404, "not_found", "no such path")
    return _batch(cloud, call)


def suppressions(cloud: Cloud, call: Call) -> Reply:
    """The suppression list, from the newest to the oldest, after the entry that is named."""
    query = parse_qs(urlsplit(call.path).query)
    if not 1 <= int(query.get("limit", ["20"])[0]) <= LIMIT:
        return error(422, "validation_error", "The `limit` must be 1 to 100.")
    entries = [
        {
            "object": "suppression",
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{each.to} {each.at}")),
            "email": each.to,
            "origin": ORIGINS[each.what],
            "source_id": None,
            "created_at": datetime.fromtimestamp(each.at, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
        }
        for each in sorted(cloud.departed, key=lambda each: each.at, reverse=not cloud.oldest_first)
        if each.what in ORIGINS
    ]
    first, after = 0, query.get("after", [""])[0]
    if cloud.endless:
        for each in entries:
            each["id"] = str(uuid.uuid4())
        return Reply(200, {"object": "list", "has_more": True, "data": entries})
    if after:
        places = [number for number, each in enumerate(entries) if each["id"] == after]
        if not places:
            return error(404, "not_found", "Suppression not found")
        first = places[0] + 1
    data = entries[first : first + cloud.page]
    return Reply(200, {"object": "list", "has_more": first + len(data) < len(entries), "data": data})


def _batch(cloud: Cloud, call: Call) -> Reply:
    key, digest = call.headers.get("idempotency-key", ""), digest_of(call)
    if not 1 <= len(key) <= 256:
        return error(400, "invalid_idempotency_key", "the key must have 1 to 256 characters")
    if key in cloud.keys:
        known, data = cloud.keys[key]
        if known != digest:
            return error(409, "invalid_idempotent_request", "the same key, another payload")
        return Reply(200, data)
    messages = json_of(call)
    if not isinstance(messages, list) or not 1 <= len(messages) <= LIMIT:
        return error(422, "validation_error", f"1 to {LIMIT} messages")
    problems = [(index, text) for index, each in enumerate(messages) if (text := wrong(each))]
    if problems and call.headers.get("x-batch-validation") != "permissive":
        return error(422, "validation_error", problems[0][1])
    bad = {index for index, _ in problems}
    taken = tuple(delivered(each) for index, each in enumerate(messages) if index not in bad)
    data = {
        "data": [{"id": str(uuid.uuid4())} for _ in taken],
        "errors": [{"index": index, "message": text} for index, text in problems],
    }
    return Reply(200, data, takes=taken, key=key, digest=digest)


def wrong(message: dict) -> str:
    """Why it is refused, if it is."""
    for name in ("from", "to", "subject", "html"):
        if not message.get(name):
            return f"Missing `{name}` field."
    for tag in message.get("tags", []):
        if not all(re.fullmatch(r"[A-Za-z0-9_-]{1,256}", tag[part]) for part in ("name", "value")):
            return "Tags should only contain ASCII letters, numbers, underscores, or dashes."
    if address(message["to"][0]).endswith("@refused.example.org"):
        return f"Invalid `to` field: {address(message['to'][0])}"
    return ""


def delivered(message: dict) -> Delivered:
    tags = {tag["name"]: tag["value"] for tag in message["tags"]}
    return Delivered(
        provider="resend",
        run=tags["run"],
        ref=tags["ref"],
        to=address(message["to"][0]),
        subject=message["subject"],
        html=message["html"],
        text=message["text"],
        headers=message["headers"],
    )


def address(mailbox: str) -> str:
    found = re.search(r"<([^<>]+)>$", mailbox)
    return found[1] if found else mailbox


def error(status: int, name: str, message: str, **headers: str) -> Reply:
    """An error in Resend's form."""
    return Reply(status, {"statusCode": status, "name": name, "message": message}, headers)
