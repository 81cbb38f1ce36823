"""A stand-in for a provider as a program that can be killed: `python -m tests.cloud.run NAME PORT JOURNAL SEED`."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tests.cloud.mailgun import mailgun
from tests.cloud.resend import error, resend
from tests.cloud.server import DROP, FAIL, HALF, RESET, Call, Cloud, Reply
from tests.cloud.ses import ses
from tests.cloud.smtp import DROP as HANG_UP
from tests.cloud.smtp import DROP_AFTER_DOT, Script, Server

TROUBLE = 0.02  # of all calls (of SMTP: of a thousand messages)
CLOUDS = {"resend": resend, "mailgun": mailgun, "ses": ses}


def main(name: str, port: int, journal: Path, seed: int) -> None:
    """Serve until killed, failing now and then."""
    dice = random.Random(seed)
    if name == "smtp":

        def replies(step: str, _to: str) -> str:
            if step == "DOT" and dice.random() < TROUBLE / 10:
                return DROP_AFTER_DOT
            return HANG_UP if step == "RCPT" and dice.random() < TROUBLE / 10 else ""

        Server(Script(replies=replies, delay_s=0.01, journal=journal), port=port).serve()
        return
    faults = (DROP, HALF, RESET, FAIL)

    def answer(cloud: Cloud, call: Call) -> Reply:
        if call.method == "POST" and dice.random() < TROUBLE:
            cloud.faults.append(dice.choice(faults))  # for the next call
        if name == "resend" and call.method == "POST" and dice.random() < TROUBLE:
            return error(429, "rate_limit_exceeded", "slow down", **{"retry-after": "1"})
        return CLOUDS[name](cloud, call)

    cloud = Cloud({"/": answer}, journal=journal, port=port)
    cloud.delay_s = 0.1
    cloud.page = 300
    cloud.serve()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
