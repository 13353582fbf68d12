"""Bytes by name on local disk or in an S3-compatible store, through one library (obstore).

On local disk a blob is made durable before `put` returns: the row that names it survives a power cut, so it has to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, ObjectStore, from_url

from jikimi.model.errors import Refused, Unavailable

_HALF = re.compile(r".+#\d+")
"""What the library writes into before it gives the file its name; it lists none, and no name of ours is like it."""
_RETRY_SECONDS = timedelta(seconds=8)
"""The library would try for three minutes, while somebody waits for the verdict on an upload."""


class ObjectBlobs:
    """Blobs under an address such as `file:///var/lib/jikimi/blobs` or `s3://bucket/prefix`."""

    def __init__(self, url: str) -> None:
        self._store: ObjectStore
        self._folder: Path | None = None
        if url.startswith("file://"):
            self._folder = Path(url.removeprefix("file://"))
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._store = LocalStore(self._folder)
        else:
            try:
                self._store = from_url(url, retry_config={"max_retries": 2, "retry_timeout": _RETRY_SECONDS})
            except (BaseError, ValueError) as error:
                raise Refused("settings_invalid", "blobs_url is no address of a store for bytes.") from error

    def put(self, name: str, file: BinaryIO) -> None:
        """Store what the file holds from where it stands; `Unavailable` if that fails."""
        try:
            obstore.put(self._store, name, file)
            if self._folder is not None:
                _make_durable(self._folder, name)
        except (BaseError, OSError) as error:
            raise Unavailable(
                "blobs_unavailable", "Bytes could not be set aside; try again.", detail=str(error)
            ) from error

    def get(self, name: str) -> BinaryIO | None:
        """Fetch a blob into an anonymous file; none if there is no such blob."""
        file = TemporaryFile()
        try:
            for chunk in obstore.get(self._store, name).stream():
                file.write(chunk)
        except (NotFoundError, FileNotFoundError):
            file.close()
            return None
        except (BaseError, OSError) as error:
            file.close()
            raise Unavailable(
                "blobs_unavailable", "Bytes could not be fetched; try again.", detail=str(error)
            ) from error
        file.seek(0)
        return file

    def delete(self, name: str) -> None:
        """Delete a blob; one that is not there is no mistake."""
        try:
            obstore.delete(self._store, name)
        except (NotFoundError, FileNotFoundError):
            return
        except (BaseError, OSError) as error:
            raise Unavailable(
                "blobs_unavailable", "Bytes could not be deleted; try again.", detail=str(error)
            ) from error

    def list(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """The names under a prefix and when each was written."""
        for page in obstore.list(self._store, prefix):
            yield from ((meta["path"], meta["last_modified"]) for meta in page)

    def tidy(self, before: datetime) -> int:
        """Remove what a crash has left half-written before a time; how many files. A remote store does so by itself."""
        halves = self._folder.rglob("*") if self._folder is not None else ()
        old = [
            file
            for file in halves
            if _HALF.fullmatch(file.name) and datetime.fromtimestamp(file.stat().st_mtime, UTC) < before
        ]
        for file in old:
            file.unlink(missing_ok=True)
        return len(old)


def _make_durable(folder: Path, name: str) -> None:
    """Flush a file and every folder on the way to it."""
    path = folder / name
    for one in (path, *path.relative_to(folder).parents):
        descriptor = os.open(folder / one, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
