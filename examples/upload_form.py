"""A site with an upload form, on the standard library: `python examples/upload_form.py`, then open the address.

The form's file is asked about before it is kept. Everything that is not about uploads is left out; use your framework.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterable
from email.parser import BytesParser
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from wsgiref.simple_server import make_server

from ask_jikimi import Decision, ask_jikimi

MAX_BYTES = 64 * 1024 * 1024
"""As jikimi's `max_upload_mib`: what it would not check, this site does not take."""
FORM = b"<form method=post enctype=multipart/form-data><input type=file name=file><input type=submit></form>"
FOLDERS = {Decision.PUBLISH: Path(mkdtemp(prefix="published-")), Decision.SET_ASIDE: Path(mkdtemp(prefix="aside-"))}
ANSWERS = {
    Decision.PUBLISH: ("201 Created", b"Your picture is published.\n"),
    Decision.SET_ASIDE: ("202 Accepted", b"Thank you. Your picture appears after a check.\n"),
    Decision.REFUSE: ("403 Forbidden", b"This picture cannot be published here.\n"),
    Decision.ASK_FOR_ANOTHER_FILE: ("422 Unprocessable Entity", b"This file cannot be used. Save it anew as JPEG.\n"),
    Decision.TRY_LATER: ("503 Service Unavailable", b"Uploads are not possible just now. Try again in a minute.\n"),
}


def site(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Answer one request (WSGI)."""
    if environ["REQUEST_METHOD"] != "POST":
        start_response("200 OK", [("Content-Type", "text/html")])
        return [FORM]
    file = read_file(environ)
    content_id = uuid.uuid4().hex
    decision = Decision.ASK_FOR_ANOTHER_FILE
    if file:
        decision = ask_jikimi(file, content_id=content_id, account_id="user-7")
    if decision in FOLDERS:
        (FOLDERS[decision] / content_id).write_bytes(file)
    status, text = ANSWERS[decision]
    start_response(status, [("Content-Type", "text/plain")])
    return [text]


def read_file(environ: dict[str, Any]) -> bytes:
    """The file of a form; empty if there is none, or one that is too large."""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if size > MAX_BYTES:
        return b""
    head = f"Content-Type: {environ.get('CONTENT_TYPE', '')}\r\n\r\n".encode()
    form = BytesParser().parsebytes(head + environ["wsgi.input"].read(size))
    parts = form.get_payload() if form.is_multipart() else []
    return next((part.get_payload(decode=True) for part in parts if part.get_filename()), b"")


if __name__ == "__main__":
    with make_server("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8700, site) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
