"""Times as programmes write them, as aware UTC; what does not say its zone is UTC, wherever this machine stands."""

from __future__ import annotations

from datetime import UTC, datetime

_MOST_TEXT = 40
_FAR = 1 << 37


def read_time(untrusted: object) -> datetime | None:
    """Read a time: seconds since 1970, as a number or text, or ISO 8601; none for anything else."""
    if isinstance(untrusted, bool) or untrusted is None:
        return None
    if type(untrusted) is int and 0 <= untrusted < _FAR:  # most are, and a million of them take a while
        return datetime.fromtimestamp(untrusted, UTC)
    text = str(untrusted).strip()
    if not text or len(text) > _MOST_TEXT:
        return None
    try:
        time = _of_seconds(text) or datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _of_seconds(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except ValueError:
        return None
