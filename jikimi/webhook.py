"""The signature of webhooks: how jikimi signs what it sends, and how a receiver checks it.

Standard library only. A receiver that cannot import this file can copy it; it needs nothing else of jikimi.

    Jikimi-Signature: t=1767225600,v1=5257a869…[,v1=…]

`v1` is HMAC-SHA256, in hexadecimal, with a key that only the two sides know, over the time `t` (seconds since 1970), a
full stop, and the body's bytes exactly as they were received. While a key is being replaced there is one `v1` for each
key; one that is right is enough. A message that is older than the tolerance is refused, so that nobody can send again
what they have overheard.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable

SIGNATURE = "Jikimi-Signature"
DELIVERY = "Jikimi-Delivery"
EVENT = "Jikimi-Event"
IDEMPOTENCY_KEY = "Idempotency-Key"

TOLERANCE = 300
"""Seconds that the clocks of the two sides and the way between them may take."""
_MAX_SIGNATURES = 8


class SignatureError(ValueError):
    """The message is not from jikimi, or too old; the text says which. Answer 401 and do nothing."""


def sign(body: bytes, secrets: Iterable[str], now: float) -> str:
    """Write the header for a body; every secret signs, the newest first."""
    at = int(now)
    return ",".join([f"t={at}", *(f"v1={_digest(body, secret, at)}" for secret in secrets)])


def verify(
    body: bytes, header: str, secrets: Iterable[str], now: float | None = None, tolerance: float = TOLERANCE
) -> None:
    """Check the header of a body that has arrived; returns if one of the secrets has signed it in time."""
    at, untrusted_signatures = _parse(header)
    age = (time.time() if now is None else now) - at
    if abs(age) > tolerance:
        raise SignatureError(f"signed {age:.0f} seconds ago, {tolerance:.0f} are allowed: an old message, or a clock")
    expected = [_digest(body, secret, at) for secret in secrets]
    # Every pair is compared, so that the time it takes says nothing.
    if not sum(hmac.compare_digest(good, one) for good in expected for one in untrusted_signatures):
        raise SignatureError("no signature is right: another key, or the body was changed on its way")


def _parse(untrusted_header: str) -> tuple[int, list[str]]:
    pairs = [part.strip().partition("=") for part in untrusted_header[:4096].split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1" and value.isascii()][:_MAX_SIGNATURES]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()) or len(times[0]) > 12 or not signatures:
        raise SignatureError(f"there is no {SIGNATURE} of the form t=…,v1=…")
    return int(times[0]), signatures


def _digest(body: bytes, secret: str, at: int) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
