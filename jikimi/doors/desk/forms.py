"""Reading a form that a page sent: small, plain text, every field a string."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from jikimi.model.errors import Refused

MAX_BYTES = 64 * 1024
"""The longest form is a decision with its note of 4,000 characters, nine bytes each once written as a form."""
_MAX_FIELDS = 500
_FORM = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> None:
    """Read the form of a request into its state."""
    request.state.fields = []
    request.state.form = {}
    if request.method == "POST":
        request.state.fields = _fields(await _body(request), request.headers.get("content-type", ""))
        request.state.form = dict(request.state.fields)


def form_of(request: Request) -> Mapping[str, str]:
    """The fields of the form; of a repeated field the last."""
    form: Mapping[str, str] = request.state.form
    return form


def all_of(request: Request, name: str) -> tuple[str, ...]:
    """Every value of a repeated field."""
    return tuple(value for field, value in request.state.fields if field == name)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise Refused("body_too_large", f"The form is longer than {MAX_BYTES // 1024} KiB; shorten what you wrote.")
    return bytes(body)


def _fields(untrusted_body: bytes, untrusted_type: str) -> list[tuple[str, str]]:
    if not untrusted_body:
        return []
    if untrusted_type.partition(";")[0].strip().lower() != _FORM:
        raise Refused("form_invalid", f"The form cannot be read: send it as {_FORM}.")
    try:
        pairs = parse_qsl(
            untrusted_body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS
        )
    except ValueError as error:
        raise Refused("form_invalid", "The form cannot be read: it is not text in UTF-8.") from error
    # PostgreSQL cannot store the character 0, and nobody means to send it; lines end as they do everywhere else.
    return [(name, value.replace("\x00", "").replace("\r\n", "\n")) for name, value in pairs]
