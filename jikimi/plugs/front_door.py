"""Our own front door, seen from outside: how the canary travels."""

from __future__ import annotations

import urllib3

from jikimi.model.errors import Unavailable

_SECONDS = 20.0


def ask_front_door(address: str, picture: bytes, key: str) -> str:
    """Send a picture to `POST /v1/scan` and return the disposition; `Unavailable` if there is no answer."""
    try:
        answer = urllib3.request(
            "POST",
            f"{address}/v1/scan",
            body=picture,
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/octet-stream"},
            timeout=_SECONDS,
            retries=False,
        )
        fields = answer.json()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise Unavailable("front_door_silent", "the service gave no answer", detail=str(error)) from error
    if answer.status != 200:
        raise Unavailable("front_door_refused", f"the service answered {answer.status}")
    return str(fields.get("verdict"))
