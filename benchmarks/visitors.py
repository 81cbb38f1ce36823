"""Visitors of the public pages, in a process of its own: `python -m benchmarks.visitors PORT RATE`.

What they ask for comes as JSON lines: method, path, form. Each request has its instant, whether or not those before it
were answered by then, and what it takes is counted from that instant on: a server that is late is seen to be late.
It says as JSON how long each took, in seconds, and how many were answered with what.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from collections import Counter
from urllib.parse import urlencode

CONNECTIONS = 8
PATIENCE_S = 30


def visit(port: int, rate: float, asked: list[tuple[str, str, dict[str, str]]]) -> dict[str, object]:
    """Ask for everything, so many times a second, over a few connections that stay open."""
    turn, lock = iter(enumerate(asked)), threading.Lock()
    took: list[float] = []
    answers: Counter[str] = Counter()
    start = time.perf_counter()

    def visitor() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        while True:
            with lock:
                number, (method, path, form) = next(turn, (-1, ("", "", {})))
            if number < 0:
                return
            at = start + number / rate
            time.sleep(max(0.0, at - time.perf_counter()))
            # As if by a proxy, for households of their own: one household may ask for a few mails only.
            headers = {"X-Forwarded-For": f"2001:{number & 0xFFFF:x}:{os.getpid() & 0xFFFF:x}::1"}
            if method == "POST":
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            try:
                connection.request(method, path, body=urlencode(form) if method == "POST" else None, headers=headers)
                response = connection.getresponse()
                response.read()
                said = str(response.status)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                said = type(error).__name__
            with lock:
                took.append(time.perf_counter() - at)
                answers[said] += 1

    visitors = [threading.Thread(target=visitor) for _ in range(CONNECTIONS)]
    for each in visitors:
        each.start()
    for each in visitors:
        each.join()
    return {"took": took, "answers": answers, "seconds": time.perf_counter() - start}


if __name__ == "__main__":
    print(json.dumps(visit(int(sys.argv[1]), float(sys.argv[2]), [json.loads(line) for line in sys.stdin])))
