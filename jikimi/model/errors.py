"""Three families of failure, told apart by what the reader can do about them.

`Refused`: the caller must change something. `Unavailable`: the same call may work later. `Broken`: our fault or damaged
data. Doors translate a family into their own words (HTTP status, exit code, retry); nothing below the doors does.
"""


class JikimiError(Exception):
    """A failure with a stable `code`, a `message` that may be shown and a `detail` that may only be logged."""

    def __init__(self, code: str, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail

    def __str__(self) -> str:
        return self.message


class Refused(JikimiError):  # noqa: N818 - a family name, read as "the call was refused"
    """The caller must change something before the call can succeed."""


class Unavailable(JikimiError):  # noqa: N818
    """The call may succeed later; `retry_after` is in seconds."""

    def __init__(self, code: str, message: str, *, detail: str = "", retry_after: int = 5) -> None:
        super().__init__(code, message, detail=detail)
        self.retry_after = retry_after


class Broken(JikimiError):  # noqa: N818
    """Our own fault, or data that is damaged."""
