"""The routes at the root: is it alive, is it ready, what is there."""

from __future__ import annotations

from jikimi.doors.protocols.hma.routing import Answer, Call

ALIVE = "I-AM-ALIVE"
STALE = "INDEX-STALE"
"""Some callers take exactly this text for alive: matching works, on what was known a while ago."""
NOT_LOADED = "INDEX-NOT-LOADED"


def start(call: Call) -> Answer:
    """`GET /`: there are no pages here."""
    return Answer(json="", status=302, is_text=True, location=f"{call.prefix}/status")


def status(call: Call) -> Answer:
    """`GET /status`: anything but an index that lags means that look-ups cannot be relied on."""
    problems = call.here.problems()
    if not problems:
        return Answer(json=ALIVE, is_text=True)
    return Answer(json=STALE if set(problems) == {"index"} else NOT_LOADED, status=503, is_text=True)


def live(call: Call) -> Answer:
    """`GET /status/live`."""
    return Answer(json=ALIVE, is_text=True)
