"""A user report: somebody says that a content is harmful. It is a claim, and decides nothing.

The platform hands it in with its own name for the content; `reporter` is the platform's name for who said it. A request
of the platform itself has no reporter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from jikimi.model.errors import Refused
from jikimi.model.ids import CaseId, ReportId

MAX_TEXT = 4000
"""Characters of what a reporter wrote; more is refused."""
MAX_WORD = 200
"""Characters of a reason or a reporter's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the caller hands in: which content, and what is said about it."""

    source: str
    content_id: str
    account_id: str = ""
    url: str = ""
    reporter: str = ""
    reason: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserReport:
    """What was said, as it is remembered. `sha256` is empty where no file is known."""

    id: ReportId
    case_id: CaseId
    said: Said
    sha256: str
    received_at: datetime


def check_said(said: Said) -> None:
    """Refuse a report that names no content, or says too much to be read."""
    if not said.content_id:
        raise Refused("content_id_missing", "Name the content by your own `content_id`.")
    if not said.reason:
        raise Refused("reason_missing", "Say in `reason` why this is handed in.")
    for name, text, limit in (
        ("reason", said.reason, MAX_WORD),
        ("reporter", said.reporter, MAX_WORD),
        ("text", said.text, MAX_TEXT),
    ):
        if len(text) > limit:
            raise Refused("report_too_long", f"`{name}` has at most {limit} characters, not {len(text)}.")
