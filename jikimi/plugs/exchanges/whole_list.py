"""Lists that are read whole each time, from a file of this machine or from an address.

What is shared by all kinds that do so: where the list is, whether it has changed, reading it in bounded memory, and
cutting it into pages. Half a list never looks like a whole one: only the last page carries a checkpoint, and it is
given when everything has been read.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from jikimi.model.errors import Refused, Unavailable
from jikimi.model.exchange import Page, SourceRecord
from jikimi.model.form import plain_values, setting
from jikimi.ports.exchanges import Got, Web

PAGE = 1000
"""Records and faults of one page."""
MOST_BYTES = 4 << 30
"""Of a list over HTTP. It goes to a temporary file, never into memory."""
MOST_UNPACKED = 64 << 30
"""Of a packed list; it is read as it is unpacked, and kept nowhere."""
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_FOR_A_PERSON = {401, 403, 404, 410}

Fault = str
Read = Callable[[BinaryIO], Iterator[SourceRecord | Fault]]
"""Reads a list: its records, and for what cannot be read a line that holds no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a list is. A path is read as the user that the service runs as."""

    file: str = setting("Path of the list on this machine, from the root; .gz is unpacked.", default="")
    url: str = setting("Address of the list, instead of a file.", default="")
    header: str = setting("Name of the header that the address wants a token in.", default="Authorization")
    token: str = setting("What to send in that header, such as `Bearer …`.", default="", secret=True)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if bool(self.file) is bool(self.url):
            raise ValueError("name either a file or a url")
        if self.file and not self.file.startswith("/"):
            raise ValueError("file: write the whole path, from the root")
        if self.url and (parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc):
            raise ValueError("url: write http(s)://name/path, without a user in it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The checkpoint: what tells a list from the one before. `settings` are those that it was read with."""

    sha256: str = ""
    settings: str = ""
    etag: str = ""
    modified: str = ""

    @classmethod
    def of(cls, checkpoint: str) -> Seen:
        """Read a checkpoint; one that is none of ours means that nothing was seen."""
        try:
            return cls(**{name: str(value) for name, value in json.loads(checkpoint).items()})
        except (ValueError, TypeError, AttributeError):
            return cls()


@dataclass(slots=True, kw_only=True)
class _Found:
    """A list that is open, and what is known about it."""

    file: BinaryIO
    headers: Mapping[str, str] = field(default_factory=dict)


def hosts_of(place: Place) -> frozenset[str]:
    """The host of an address; none for a file."""
    return frozenset({urlsplit(place.url).netloc.lower()}) if place.url else frozenset()


def read_whole(place: Place, web: Web, checkpoint: str, read: Read) -> Iterator[Page]:
    """Give the pages of a list, or none if it is the same as last time."""
    # 1 Open it; an address can say that nothing has changed.
    settings = hashlib.sha256(json.dumps(plain_values(place), sort_keys=True).encode()).hexdigest()
    last = Seen.of(checkpoint)
    known = last if last.settings == settings else Seen()
    with _opened(place, web, known) as found:
        if found is None:
            return
        # 2 Otherwise its bytes do.
        digest = _digest(found.file)
        if digest == known.sha256:
            return
        # 3 Read it, page by page.
        etag, modified = found.headers.get("etag", ""), found.headers.get("last-modified", "")
        seen = Seen(sha256=digest, settings=settings, etag=etag[:500], modified=modified[:100])
        yield from _pages(_read(found.file, read), json.dumps(asdict(seen)))


@contextmanager
def _opened(place: Place, web: Web, known: Seen) -> Iterator[_Found | None]:
    if place.file:
        with _regular(place.file) as file:
            yield _Found(file=file)
        return
    with tempfile.TemporaryFile() as spool:
        got = _fetched(place, web, known, spool)
        yield None if got.status == 304 else _Found(file=spool, headers=got.headers)


def _regular(path: str) -> BinaryIO:
    """Open a file, but no pipe or device, which could block for ever."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise Refused("list_unreadable", f"{path} cannot be read; check the path and its permissions.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused("list_unreadable", f"{path} is not a regular file; name one.")
    return os.fdopen(descriptor, "rb")


def _fetched(place: Place, web: Web, known: Seen, spool: BinaryIO) -> Got:
    headers = {
        "If-None-Match": known.etag,
        "If-Modified-Since": known.modified if not known.etag else "",
        place.header: place.token,
    }
    sent = {name: value for name, value in headers.items() if name and value}
    got = web.ask("GET", place.url, headers=sent, most=MOST_BYTES, into=spool)
    host = urlsplit(place.url).netloc
    if got.status in _FOR_A_PERSON:
        raise Refused("list_refused", f"{host} answers {got.status} for the list; check the address and the token.")
    if got.status not in (200, 304):
        raise Unavailable("list_unavailable", f"{host} answers {got.status} for the list; the next pull asks again.")
    return got


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


class _Unpacked(gzip.GzipFile):
    """A packed list. What unpacks to more than anything we know is an attack."""

    def read(self, size: int | None = -1) -> bytes:
        """Read on, up to the bound."""
        if self.tell() > MOST_UNPACKED:
            raise Refused("list_too_large", "The list unpacks to more than 64 GiB; nothing of it is used.")
        return super().read(size)


def _read(file: BinaryIO, read: Read) -> Iterator[SourceRecord | Fault]:
    file.seek(0)
    is_packed = file.read(2) == _GZIP
    file.seek(0)
    try:
        yield from read(cast(BinaryIO, _Unpacked(fileobj=file)) if is_packed else file)
    except (OSError, EOFError, zlib.error) as error:
        raise broken_off() from error


def _pages(found: Iterator[SourceRecord | Fault], checkpoint: str) -> Iterator[Page]:
    """Cut a list into pages, each a step behind what was read, so that the last one is known to be the last."""
    held: Page | None = None
    good = bad = 0
    while batch := list(islice(found, PAGE)):
        if held is not None:
            yield held
        records = {one.key: one for one in batch if isinstance(one, SourceRecord)}
        faults = tuple(one for one in batch if isinstance(one, str))
        held = Page(records=tuple(records.values()), checkpoint="", faults=faults)
        good, bad = good + len(records), bad + len(faults)
    if bad and not good:
        raise Unavailable(
            "list_broken", "Nothing on this list can be read; look at it, and at the exchange's settings."
        )
    yield Page(records=held.records if held else (), checkpoint=checkpoint, faults=held.faults if held else ())


def broken_off() -> Unavailable:
    """Half a list, such as a file that is being written just now: nothing may be concluded from it."""
    return Unavailable("list_broken", "The list breaks off or is damaged; the next pull reads it again.")


def digest_key(text: str) -> str:
    """A record's key made of its value, and from which nobody reads it: for lists without keys of their own."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
