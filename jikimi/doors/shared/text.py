"""Text from outside: what may be stored of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from jikimi.model.bank import MAX_TEXT
from jikimi.model.errors import Refused
from jikimi.model.scan import MAX_REFERENCE

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL cannot store the character 0, and nobody means to send it."""

Reference = Annotated[str, StringConstraints(max_length=MAX_REFERENCE, pattern=NO_NUL)]
FreeText = Annotated[str, StringConstraints(max_length=MAX_TEXT, pattern=NO_NUL)]
Name = Annotated[str, StringConstraints(max_length=255, pattern=NO_NUL)]
PageSize = Annotated[int, Field(ge=1, le=1000)]


def checked_reference(field: str, untrusted_text: str) -> str:
    """Return a form's text as it will be stored, or say what is wrong with it."""
    if len(untrusted_text) > MAX_REFERENCE or "\x00" in untrusted_text:
        raise Refused("reference_invalid", f"{field} is at most {MAX_REFERENCE} characters, none of them 0.")
    return storable(untrusted_text)


def storable(untrusted_text: str) -> str:
    """Write what is not text (names of files can be any bytes) as escapes, so that it can be stored and shown."""
    return untrusted_text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "\\x00")
