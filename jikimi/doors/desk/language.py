"""Languages of the pages: English as written in the source, Korean from its catalogue; dates in the reader's zone.

The catalogue is read as it is written (`locale/ko/LC_MESSAGES/jikimi.po`): nothing has to be compiled first.
"""

from __future__ import annotations

import gettext
import io
from datetime import datetime, timedelta, tzinfo
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import negotiate_locale
from babel.dates import format_skeleton, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from starlette.requests import Request

from jikimi.model.people import Person

LANGUAGES = {"en": "English", "ko": "한국어"}
"""Each in its own name, as a reader looks for it."""
_CATALOGUES = Path(__file__).parents[1] / "locale"
_MAX_HEADER = 200


def language_of(request: Request, person: Person | None) -> str:
    """The person's language; for strangers the first of their browser's that we have."""
    if person is not None and person.language in LANGUAGES:
        return person.language
    wanted = [
        part.partition(";")[0].strip() for part in request.headers.get("accept-language", "")[:_MAX_HEADER].split(",")
    ]
    return negotiate_locale(wanted, list(LANGUAGES), sep="-") or "en"


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The translations of a language."""
    file = _CATALOGUES / language / "LC_MESSAGES" / "jikimi.po"
    if not file.exists():
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    with file.open("rb") as text:
        write_mo(compiled, read_po(text, locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def N_(text: str) -> str:  # noqa: N802 - the name that extraction looks for
    """Mark a text that is translated where it is shown."""
    return text


class Clockwork:
    """Writes times, spans and numbers for one reader."""

    def __init__(self, language: str, person: Person | None) -> None:
        self.language = language
        self.zone = zone_of(person)

    def when(self, at: datetime) -> str:
        """A day and a time, as short as they can be without doubt."""
        local = at.astimezone(self.zone)
        is_this_year = local.year == datetime.now(self.zone).year
        day = format_skeleton("MMMd" if is_this_year else "yMMMd", local, locale=self.language)
        return f"{day} {local:%H:%M}"

    def time(self, at: datetime) -> str:
        """A time of day."""
        return f"{at.astimezone(self.zone):%H:%M}"

    def ago(self, at: datetime, now: datetime) -> str:
        """How far away a time is, in one unit."""
        return format_timedelta(at - now, add_direction=True, locale=self.language, format="short")

    def span(self, span: timedelta) -> str:
        """A length of time, in one unit."""
        return format_timedelta(span, locale=self.language, format="short", threshold=1.5)

    def size(self, size: int) -> str:
        """A number of bytes, in the unit that suits it."""
        if size < 1024:
            return f"{self.number(size)} B"
        power = 1 if size < 1024**2 else 2
        return f"{self.number(round(size / 1024**power, 1))} {('KiB', 'MiB')[power - 1]}"

    def number(self, number: float) -> str:
        """A number with the language's separators."""
        return format_decimal(number, locale=self.language)


def zone_of(person: Person | None) -> tzinfo:
    """The person's time zone; UTC where there is none of that name."""
    try:
        return ZoneInfo(person.time_zone if person else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
