"""`/h`: files become signals."""

from __future__ import annotations

from typing import BinaryIO

from jikimi.doors.protocols.hma.models import HashQuery
from jikimi.doors.protocols.hma.routing import Answer, Call
from jikimi.flows.hma_match import fetch_file, hash_file
from jikimi.model.errors import Refused
from jikimi.model.hma import ContentType, content_type
from jikimi.model.signal import Signal


def hash_sent(call: Call) -> Answer:
    """`POST /h/hash`."""
    file, content = sent_file(call)
    return Answer(json=texts(hash_file(call.here.kit, file, content, call.query.get("types"))))


def hash_address(call: Call) -> Answer:
    """`GET /h/hash`."""
    asked = HashQuery.model_validate(call.query)
    file, content = fetch_file(call.here.kit, asked.url, asked.content_type)
    with file:
        return Answer(json=texts(hash_file(call.here.kit, file, content, asked.types)))


def sent_file(call: Call) -> tuple[BinaryIO, ContentType]:
    """The file of a form, and what its field says that it is. Who has read the form closes it."""
    if call.body.file is None:
        raise Refused("file_missing", "Send exactly one file, in a form field `photo` or `video`.")
    return call.body.file, content_type(call.body.name)


def texts(hashed: dict[str, tuple[Signal, ...]]) -> dict[str, str]:
    """Write one signal of each type: the first. A picture with too little structure has an empty one, as in HMA."""
    return {name: signals[0].text if signals else "" for name, signals in hashed.items()}
