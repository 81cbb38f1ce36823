"""Mailgun, as its documentation describes it (messages and events, read July 2024 and August 2026)."""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import formatdate, getaddresses
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.cloud.server import Call, Cloud, Delivered, Reply

KEY = "key-0123456789abcdef-tests"
DOMAIN = "letters.example.org"
FOOTERS = {"html_footer": "", "text_footer": ""}
LISTS = {"unsubscribes": "left", "bounces": "bounced", "complaints": "complained"}
EVENTS = {
    "left": {"event": "unsubscribed"},
    "complained": {"event": "complained"},
    "bounced": {"event": "failed", "severity": "permanent", "reason": "bounce"},
    "full": {"event": "failed", "severity": "permanent", "reason": "old"},
}
OPTION_BYTES = 16 * 1024


def mailgun(cloud: Cloud, call: Call) -> Reply:
    """Answer a call."""
    if call.headers.get("authorization") != "Basic " + b64encode(f"api:{KEY}".encode()).decode():
        return Reply(401, {"message": "Forbidden"})
    path = urlsplit(call.path).path
    if path == f"/v3/domains/{DOMAIN}":
        return Reply(200, {"domain": {"name": DOMAIN, "state": "active"}})
    if path == f"/v3/domains/{DOMAIN}/tracking":
        return Reply(200, {"tracking": {"unsubscribe": {"active": cloud.writes_leave, **FOOTERS}}})
    if not path.startswith(f"/v3/{DOMAIN}/"):
        return Reply(404, {"message": "Domain not found"})
    return messages(cloud, call) if call.method == "POST" else asked(cloud, call, path.rpartition("/")[2])


def asked(cloud: Cloud, call: Call, what: str) -> Reply:
    """One of the lists of a domain."""
    if what in LISTS:
        return listed(cloud, call, what)
    return events(cloud, call) if "tags=" in call.path else told(cloud, call)


def fields(call: Call) -> dict[str, list[str]]:
    """The form of a call, read by the standard library's parser of multipart messages."""
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    form: dict[str, list[str]] = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + call.body).iter_parts():
        name = part.get_param("name", header="content-disposition")
        form.setdefault(str(name), []).append(part.get_payload(decode=True).decode())
    return form


def messages(cloud: Cloud, call: Call) -> Reply:
    form = fields(call)
    to = [found for _, found in getaddresses(form["to"])]
    if len(to) > 1000:
        return Reply(400, {"message": "Too many recipients; max is 1000"})
    options = sum(len(name) + len(value) for name in form if name[:2] in ("o:", "h:", "v:") for value in form[name])
    if options > OPTION_BYTES:
        return Reply(
            400, {"message": "Send options (parameters starting with o:, h:, or v:) are limited to 16 kB total"}
        )
    try:
        variables = json.loads(form["recipient-variables"][0])
    except (KeyError, ValueError):
        return Reply(400, {"message": "'recipient-variables' parameter is not a valid JSON"})
    if len({each.lower() for each in to}) < len(to) or set(to) != set(variables):
        return Reply(400, {"message": "'recipient-variables' parameter is not a valid JSON"})
    if any(each.endswith("@refused.example.org") for each in to):
        return Reply(400, {"message": "to parameter is not a valid address. please check documentation"})
    name = f"<{time.time_ns()}@{DOMAIN}>"
    taken = tuple(merged(form, each, variables.get(each, {})) for each in to)
    return Reply(200, {"id": name, "message": "Queued. Thank you."}, takes=taken)


def merged(form: dict[str, list[str]], to: str, variables: dict[str, str]) -> Delivered:
    """What one recipient gets: a placeholder that has no value stays as it stands."""

    def fill(name: str) -> str:
        return re.sub(
            r"%recipient\.([^%]+)%", lambda found: str(variables.get(found[1], found[0])), form.get(name, [""])[0]
        )

    return Delivered(
        provider="mailgun",
        run=form["o:tag"][0] if form["o:tag"] == form["v:run"] else "",
        ref=fill("v:ref"),
        to=to,
        subject=fill("subject"),
        html=fill("html"),
        text=fill("text"),
        headers={name.removeprefix("h:"): fill(name) for name in form if name.startswith("h:")},
    )


def events(cloud: Cloud, call: Call) -> Reply:
    """A few to a page, in order of time; the page after the last is empty and names the next all the same."""
    query = parse_qs(urlsplit(call.path).query)
    page = int(query.get("page", ["0"])[0])
    found = [each for each in cloud.accepted if each.run == query["tags"][0]]
    items = [
        {
            "event": "accepted",
            "recipient": each.to,
            "user-variables": {"ref": each.ref, "run": each.run},
            "message": {"headers": {"message-id": f"m{number}@{DOMAIN}"}},
        }
        for number, each in enumerate(found)
    ]
    following = f"{cloud.url}/v3/{DOMAIN}/events?tags={query['tags'][0]}&page={page + 1}"
    return Reply(200, {"items": items[page * cloud.page : (page + 1) * cloud.page], "paging": {"next": following}})


def told(cloud: Cloud, call: Call) -> Reply:
    """What happened to people since `begin`, from the oldest on; there is always one more page, and it may be empty."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}
    assert query["event"] == "failed OR complained OR unsubscribed"
    page = int(query.pop("page", "0"))
    found = sorted((each for each in cloud.departed if each.at >= float(query["begin"])), key=lambda each: each.at)
    items = [
        {
            **EVENTS[each.what],
            "timestamp": each.at,
            "recipient": each.to,
            "user-variables": {"ref": each.ref} if each.ref else {},
            "delivery-status": {"code": 550, "message": f"<{each.to}> is not here"} if each.what != "left" else {},
        }
        for each in found
    ]
    some = items if cloud.endless else items[page * cloud.page : (page + 1) * cloud.page]
    return Reply(
        200, {"items": some, "paging": {"next": f"{here(cloud, call)}?{urlencode({**query, 'page': page + 1})}"}}
    )


def listed(cloud: Cloud, call: Call, name: str) -> Reply:
    """One of the lists by the alphabet; the next page bears the last address of this one."""
    query = parse_qs(urlsplit(call.path).query)
    after = query.get("address", [""])[0]
    found = sorted(
        (each for each in cloud.departed if each.what == LISTS[name] and each.to > after), key=lambda e: e.to
    )
    items = [
        {"address": each.to, "created_at": formatdate(each.at, usegmt=True)}
        | ({"tags": ["*"]} if name == "unsubscribes" else {})
        | ({"code": "550", "error": f"no mailbox {each.to}"} if name == "bounces" else {})
        for each in found[: cloud.page]
    ]
    last = f"{here(cloud, call)}?page=last&limit=1000"
    following = urlencode({"page": "next", "address": items[-1]["address"] if items else after, "limit": 1000})
    return Reply(200, {"items": items, "paging": {"next": f"{here(cloud, call)}?{following}", "last": last}})


def here(cloud: Cloud, call: Call) -> str:
    return cloud.url + urlsplit(call.path).path
