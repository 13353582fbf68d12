"""Receiving an upload: streamed to an anonymous file, counted before it is parsed, cut off at the limit.

A file comes either as the whole body, or as the one file part of a multipart form. A body that is too large is read on
for a short while and thrown away, so that the caller gets an answer instead of a broken connection.
"""

from __future__ import annotations

import json
import time
from asyncio import timeout
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from io import BytesIO
from tempfile import TemporaryFile
from typing import BinaryIO

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from jikimi.model.errors import Refused, Unavailable

_RECEIVE_SECONDS = 120
"""A whole upload has to arrive in this time; a slow sender must not hold a place for ever."""
_DRAIN_SECONDS = 3.0
_FORM_ALLOWANCE = 64 * 1024
"""Bytes of a form beside its file: boundaries, headers, fields."""
_MAX_FIELDS = 16
_FIELD_BYTES = 8 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """An upload: its file (none if it was too large), its size in bytes as far as known, the form's other fields.

    `field` is the form's name for the file.
    """

    file: BinaryIO | None
    size: int
    fields: dict[str, str]
    field: str = ""


class _TooLargeError(Exception):
    """The body has passed the limit."""


async def receive_upload(request: Request, max_bytes: int) -> Received:
    """Receive one upload of at most `max_bytes`; `Refused` if the request is not one."""
    return await _receive(request, max_bytes, needs_file=True)


async def receive_form(request: Request, max_bytes: int) -> Received:
    """Receive a form that may bring a file."""
    return await _receive(request, max_bytes, needs_file=False)


async def receive_said(request: Request, max_bytes: int) -> Received:
    """Receive a form that may bring a file, or a JSON object of texts that brings none."""
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await _receive(request, max_bytes, needs_file=False)
    with (await _receive(request, _FORM_ALLOWANCE, needs_file=True)).file or BytesIO() as file:
        text = file.read()
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("form_invalid", "The body is neither JSON of at most 64 KiB nor a multipart form.") from error
    if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
        raise Refused("form_invalid", "The body is a JSON object whose values are all text.")
    return Received(file=None, size=0, fields=said)


async def _receive(request: Request, max_bytes: int, *, needs_file: bool) -> Received:
    announced = _announced(request)
    is_form = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    allowed = max_bytes + (_FORM_ALLOWANCE if is_form else 0)
    stream = request.stream()
    seen = _Counted(stream, allowed)
    try:
        async with timeout(_RECEIVE_SECONDS):
            if announced > allowed:
                raise _TooLargeError
            return await (_receive_form(request, seen, needs_file) if is_form else _receive_body(seen))
    except _TooLargeError:
        await _drain(stream)
        return Received(file=None, size=max(announced, seen.count), fields={})
    except (TimeoutError, ClientDisconnect) as error:
        raise Refused("body_incomplete", "The upload did not arrive completely; send it again.") from error
    except OSError as error:
        raise Unavailable(
            "no_room", "There is no room for the upload at the moment; try again later.", detail=str(error)
        ) from error


class _Counted:
    """The body's chunks, as far as they are allowed."""

    def __init__(self, stream: AsyncGenerator[bytes, None], allowed: int) -> None:
        self.count = 0
        self._stream = stream
        self._allowed = allowed

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        async for chunk in self._stream:
            self.count += len(chunk)
            if self.count > self._allowed:
                raise _TooLargeError
            yield chunk


async def _receive_body(seen: _Counted) -> Received:
    file = TemporaryFile()
    try:
        async for chunk in seen.chunks():
            file.write(chunk)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return Received(file=file, size=seen.count, fields={})


async def _receive_form(request: Request, seen: _Counted, needs_file: bool) -> Received:
    parser = MultiPartParser(
        request.headers, seen.chunks(), max_files=1, max_fields=_MAX_FIELDS, max_part_size=_FIELD_BYTES
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeDecodeError, AssertionError) as error:
        raise Refused("form_invalid", f"The form cannot be read: {str(error) or type(error).__name__}.") from error
    named = [(name, value) for name, value in form.multi_items() if isinstance(value, UploadFile)]
    files = [file for _, file in named]
    if len(files) != 1 and needs_file:
        raise Refused("file_missing", "Send exactly one file, as a form field named `file` or as the whole body.")
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    if not files:
        return Received(file=None, size=0, fields=fields)
    return Received(file=files[0].file, size=files[0].size or 0, fields=fields, field=named[0][0])


def _announced(request: Request) -> int:
    try:
        return int(request.headers.get("content-length", "0"))
    except ValueError:
        return 0


async def _drain(stream: AsyncGenerator[bytes, None]) -> None:
    until = time.monotonic() + _DRAIN_SECONDS
    try:
        async with timeout(_DRAIN_SECONDS):
            async for _chunk in stream:
                if time.monotonic() > until:
                    return
    except (TimeoutError, ClientDisconnect, RuntimeError):
        return
