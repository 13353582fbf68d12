"""What to do with an upload, as jikimi says: copy this file into your project. Needs urllib3 only.

It fails closed. Whatever is not a plain `clear` from jikimi is not published: not a match, not a file that could not be
checked, and not an upload at a moment when jikimi gives no answer.
"""

from __future__ import annotations

import logging
import os
from enum import StrEnum
from typing import BinaryIO
from urllib.parse import urlencode

import urllib3

JIKIMI_URL = os.environ.get("JIKIMI_URL", "http://127.0.0.1:8600")
JIKIMI_KEY = os.environ.get("JIKIMI_KEY", "")
ANSWER_SECONDS = 45
"""Longer than jikimi itself may take: 30 s for a free decoder and 5 s for one file."""

_log = logging.getLogger("uploads")
_http = urllib3.PoolManager(maxsize=16, retries=False, timeout=urllib3.Timeout(connect=2, read=ANSWER_SECONDS))


class Decision(StrEnum):
    """What your site does with the file."""

    PUBLISH = "publish"
    SET_ASIDE = "set aside"
    """Keep it where nobody sees it, until a person has decided the case."""
    REFUSE = "refuse"
    """Do not keep it. Tell the uploader nothing about why: the answer must not help to try out changes."""
    ASK_FOR_ANOTHER_FILE = "ask for another file"
    """It could not be checked, and it will not be the next time either: damaged, too large, of an unknown kind."""
    TRY_LATER = "try later"


_DECISIONS = {
    "clear": Decision.PUBLISH,
    "hold": Decision.SET_ASIDE,
    "block": Decision.REFUSE,
    "unchecked": Decision.ASK_FOR_ANOTHER_FILE,
}
_MAY_WORK_LATER = {"timeout", "busy", "decoder_failed"}


def ask_jikimi(file: BinaryIO | bytes, *, content_id: str, account_id: str) -> Decision:
    """Ask about a file; `content_id` and `account_id` are your own names for the upload and for who sent it."""
    names = urlencode({"content_id": content_id, "account_id": account_id})
    headers = {"Authorization": f"Bearer {JIKIMI_KEY}", "Content-Type": "application/octet-stream"}
    try:
        answer = _http.request("POST", f"{JIKIMI_URL}/v1/scan?{names}", body=file, headers=headers)
        fields = answer.json()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        _log.error("jikimi gave no answer about %s: %r", content_id, error)
        return Decision.TRY_LATER
    if answer.status != 200:
        _log.error("jikimi answered %s about %s: %s", answer.status, content_id, fields)
        return Decision.TRY_LATER
    if fields["verdict"] == "unchecked" and _MAY_WORK_LATER.intersection(fields["reasons"]):
        return Decision.TRY_LATER
    return _DECISIONS.get(fields["verdict"], Decision.TRY_LATER)
