"""Signals of answered uploads, kept for some days to be looked back at, and the place where they wait until then.

A row is one upload: what the caller said of it but for the file name, and its signals packed into bytes. Rows are
numbered in the order of their transactions (writers take turns), so whoever has read up to a number has missed nothing
below it.
"""

from __future__ import annotations

import hashlib
import secrets
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from struct import Struct
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from jikimi.db.many import some_of
from jikimi.db.schema import clocks, kept_uploads
from jikimi.model.look_back import KeptUpload, Looked, place_of, shelf_of
from jikimi.model.match import View
from jikimi.model.media import MediaKind, Reason
from jikimi.model.scan import Content, Examination, Seen, Upload
from jikimi.model.signal import SIGNAL_KINDS, EntryBatch, Signal, Variant

_ROWS, _ENTRIES, _UPLOADS = "kept", "looked", "looked_uploads"
"""Clocks: the last row; how far looking back has come, in changes of entries and in rows."""
_MARK_DIGITS = 12
_MOST_SIGNALS = 400_000
"""Signals that may wait in memory, about 100 MB: minutes of a database that is away under full load."""

_FORMAT = 1
_HEAD = Struct(">BQI")
"""Format; change number of the entries it was compared with; frames."""
_PICTURE = Struct(">IBB")
"""Frame; quality, 255 if unknown; 1 if flattened. The values in all positions follow."""
_DIGESTS = {1: "sha256", 2: "sha1", 3: "md5"}
_TAGS = {name: tag for tag, name in _DIGESTS.items()}
_PDQ = 4
_POSITIONS = tuple(Variant)
_VALUE = SIGNAL_KINDS["pdq"].length
_PICTURE_BYTES = _PICTURE.size + _VALUE * len(_POSITIONS)
_NO_QUALITY = 255


class MemoryKept:
    """Uploads of this process that wait to be written down; taken away once a second."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: list[KeptUpload] = []
        self._signals = 0

    def add(self, kept: KeptUpload) -> bool:
        """Let an upload wait; false if too much waits already."""
        signals = _count(kept)
        with self._lock:
            if self._signals + signals > _MOST_SIGNALS:
                return False
            self._signals += signals
            self._waiting.append(kept)
            return True

    def take(self) -> tuple[KeptUpload, ...]:
        """Take what waits."""
        with self._lock:
            waiting, self._waiting, self._signals = self._waiting, [], 0
        return tuple(waiting)

    def give_back(self, kept: Sequence[KeptUpload]) -> None:
        """Put back what could not be written, before what has come since."""
        with self._lock:
            self._waiting[:0] = kept
            self._signals += sum(map(_count, kept))


class SqlKept:
    """Kept uploads in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, uploads: Sequence[KeptUpload]) -> None:
        """Write uploads down."""
        if uploads:
            first = self.sequence() + 1
            rows = [{"id": number, **_row(kept)} for number, kept in enumerate(uploads, start=first)]
            self._connection.execute(insert(kept_uploads), rows)
            self._set(_ROWS, rows[-1]["id"])

    def some(self, ids: Collection[int]) -> tuple[KeptUpload, ...]:
        """Those of these uploads that are still there, in order of their numbers."""
        found: list[KeptUpload] = []
        for part in some_of(sorted(ids)):
            some = kept_uploads.c.id.in_(part)
            rows = self._connection.execute(select(kept_uploads).where(some).order_by(kept_uploads.c.id))
            found += map(_kept, rows)
        return tuple(found)

    def late(self, after: int, entries: int, limit: int) -> tuple[tuple[int, ...], int]:
        """Of the next uploads after a number, those compared with fewer entries; and the number reached."""
        head = func.substr(kept_uploads.c.signals, 1, _HEAD.size)
        rows = self._connection.execute(
            select(kept_uploads.c.id, head.label("head"))
            .where(kept_uploads.c.id > after)
            .order_by(kept_uploads.c.id)
            .limit(limit)
        ).all()
        late = tuple(row.id for row in rows if _HEAD.unpack(row.head)[1] < entries)
        return late, rows[-1].id if rows else after

    def looked(self) -> Looked | None:
        """How far looking back has come."""
        entries, uploads = self._get(_ENTRIES), self._get(_UPLOADS)
        return None if entries is None or uploads is None else Looked(entries=entries[0], uploads=uploads[0])

    def look(self, looked: Looked) -> None:
        """Store how far looking back has come."""
        self._set(_ENTRIES, looked.entries)
        self._set(_UPLOADS, looked.uploads)

    def stop(self) -> None:
        """Forget how far looking back has come."""
        self._connection.execute(delete(clocks).where(clocks.c.name.in_((_ENTRIES, _UPLOADS))))

    def purge(self, before: datetime | None, limit: int) -> int:
        """Forget the oldest uploads."""
        oldest = select(kept_uploads.c.id).order_by(kept_uploads.c.received_at).limit(limit)
        if before is not None:
            oldest = oldest.where(kept_uploads.c.received_at < before)
        return self._connection.execute(delete(kept_uploads).where(kept_uploads.c.id.in_(oldest))).rowcount

    def purge_after(self, after: datetime, limit: int) -> int:
        """Forget uploads that came after a time."""
        some = select(kept_uploads.c.id).where(kept_uploads.c.received_at > after).limit(limit)
        return self._connection.execute(delete(kept_uploads).where(kept_uploads.c.id.in_(some))).rowcount

    def erase(self, ids: Collection[int], signals: Sequence[Signal]) -> int:
        """Take signals out of uploads. A picture goes in all its positions, whichever of them was meant."""
        gone = {(signal.type, signal.value) for signal in signals}
        erased = 0
        for part in some_of(sorted(ids)):
            some = kept_uploads.c.id.in_(part)
            for row in self._connection.execute(select(kept_uploads.c.id, kept_uploads.c.signals).where(some)).all():
                left = _without(row.signals, gone)
                if left != row.signals:
                    same = kept_uploads.c.id == row.id
                    self._connection.execute(update(kept_uploads).where(same).values(signals=left))
                    erased += 1
        if erased:
            # Files of the index that still hold them are not this database's any more; see `mark`.
            self._set(_ROWS, self.sequence(), secrets.token_hex(8))
        return erased

    def size(self) -> int:
        """About how many uploads are kept: counting them would read them all."""
        # SQLite finds either end in its index, but reads everything for both in one query.
        first = self._connection.execute(select(func.min(kept_uploads.c.id))).scalar_one()
        last = self._connection.execute(select(func.max(kept_uploads.c.id))).scalar_one()
        return 0 if first is None else last - first + 1

    def oldest(self) -> datetime | None:
        """When the oldest of them was received."""
        found = select(kept_uploads.c.received_at).order_by(kept_uploads.c.received_at).limit(1)
        return self._connection.execute(found).scalar_one_or_none()

    def sequence(self) -> int:
        """The number of the last row that was written."""
        found = self._get(_ROWS)
        return found[0] if found else 0

    def mark(self, sequence: int) -> str:
        """What tells the rows up to a number from those that a file may hold instead.

        It changes when the database was restored and has grown again, when a signal was erased, and when the oldest
        day is gone: then no file may hold it any longer either.
        """
        last = (
            select(kept_uploads.c.id, kept_uploads.c.received_at)
            .where(kept_uploads.c.id <= sequence)
            .order_by(kept_uploads.c.id.desc())
            .limit(1)
        )
        row, oldest, clock = self._connection.execute(last).one_or_none(), self.oldest(), self._get(_ROWS)
        if row is None or oldest is None:
            return ""
        named = f"{row.id} {row.received_at.isoformat()} {oldest.date().isoformat()} {clock[1] if clock else ''}"
        return hashlib.sha256(named.encode()).hexdigest()[:_MARK_DIGITS]

    def changes(self, after: int, limit: int) -> tuple[tuple[EntryBatch, ...], int]:
        """Signals of uploads after a number, at most `limit` uploads, and the number reached."""
        reached = self.sequence()
        if reached == after:
            return (), reached
        rows = self._connection.execute(_PACKED.where(kept_uploads.c.id > after).limit(limit)).all()
        if len(rows) == limit:
            reached = rows[-1].id
        return _batches(rows), reached

    def batches(self, rows: int) -> Iterator[EntryBatch]:
        """All signals, in batches of about so many uploads."""
        with self._connection.execute(_PACKED, execution_options={"yield_per": rows}) as found:
            for partition in found.partitions():
                yield from _batches(partition)

    def _get(self, name: str) -> tuple[int, str] | None:
        row = self._connection.execute(select(clocks).where(clocks.c.name == name)).one_or_none()
        return None if row is None else (row.number, row.digest)

    def _set(self, name: str, number: int, digest: str | None = None) -> None:
        """Set a clock, which need not be there; writers take turns."""
        values: dict[str, Any] = {"number": number} if digest is None else {"number": number, "digest": digest}
        if not self._connection.execute(update(clocks).where(clocks.c.name == name).values(values)).rowcount:
            self._connection.execute(insert(clocks).values({"name": name, "digest": "", **values}))


_PACKED = select(kept_uploads.c.id, kept_uploads.c.received_at, kept_uploads.c.signals).order_by(kept_uploads.c.id)


def _count(kept: KeptUpload) -> int:
    return len(kept.examination.digests) + len(_POSITIONS) * len(kept.examination.seen)


def _row(kept: KeptUpload) -> dict[str, Any]:
    upload, examination = kept.upload, kept.examination
    content = examination.content
    return {
        "received_at": upload.received_at,
        "source": upload.source,
        "content_id": upload.content_id,
        "account_id": upload.account_id,
        "url": upload.url,
        "content": {
            "kind": content.kind,
            "size": content.size,
            "width": content.width,
            "height": content.height,
            "faults": list(examination.faults),
        },
        "signals": packed(examination, kept.version),
    }


def _kept(row: Row[Any]) -> KeptUpload:
    said = row.content
    content = Content(kind=MediaKind(said["kind"]), size=said["size"], width=said["width"], height=said["height"])
    examination, version = unpacked(row.signals, content, [Reason(one) for one in said["faults"]])
    return KeptUpload(
        id=row.id,
        upload=Upload(
            source=row.source,
            received_at=row.received_at,
            content_id=row.content_id,
            account_id=row.account_id,
            url=row.url,
        ),
        examination=examination,
        version=version,
    )


def packed(examination: Examination, version: int) -> bytes:
    """All signals of an upload as bytes: a head, then each digest and each picture behind its tag."""
    parts = [_HEAD.pack(_FORMAT, version, examination.frames)]
    parts += [bytes((_TAGS[digest.type],)) + digest.value for digest in examination.digests]
    for seen in examination.seen:
        signal, values = seen.view.signal, {variant: signal.value for variant, signal in seen.variants}
        quality = _NO_QUALITY if signal.quality is None else signal.quality
        parts.append(bytes((_PDQ,)) + _PICTURE.pack(signal.frame, quality, seen.view.flattened))
        parts += [values[variant] for variant in _POSITIONS]
    return b"".join(parts)


def unpacked(signals: bytes, content: Content, faults: Sequence[Reason]) -> tuple[Examination, int]:
    """The examination as it was, with the digests that are still there, and the entries' change number then."""
    _, version, frames = _HEAD.unpack_from(signals)
    parts = list(_parts(signals))
    digests = tuple(Signal(type=_DIGESTS[tag], value=part) for tag, part in parts if tag != _PDQ)
    by_type = {digest.type: digest.text for digest in digests}
    return Examination(
        content=Content(
            kind=content.kind, size=content.size, width=content.width, height=content.height, **by_type
        ),
        digests=digests,
        seen=tuple(_seen(part) for tag, part in parts if tag == _PDQ),
        frames=frames,
        faults=tuple(faults),
    ), version  # fmt: skip


def _seen(part: bytes) -> Seen:
    frame, quality, flattened = _PICTURE.unpack_from(part)
    values = dict(zip(_POSITIONS, _values(part), strict=True))
    signal = Signal(
        type="pdq", value=values[Variant.AS_IS], quality=None if quality == _NO_QUALITY else quality, frame=frame
    )
    return Seen(
        view=View(signal=signal, flattened=bool(flattened)),
        variants=tuple(
            (variant, Signal(type="pdq", value=value, frame=frame, variant=variant))
            for variant, value in values.items()
        ),
    )


def _parts(signals: bytes) -> Iterator[tuple[int, bytes]]:
    """Each digest's value and each picture, behind its tag."""
    at = _HEAD.size
    while at < len(signals):
        tag, at = signals[at], at + 1
        end = at + (_PICTURE_BYTES if tag == _PDQ else SIGNAL_KINDS[_DIGESTS[tag]].length)
        yield tag, signals[at:end]
        at = end


def _values(part: bytes) -> list[bytes]:
    return [part[at : at + _VALUE] for at in range(_PICTURE.size, _PICTURE_BYTES, _VALUE)]


def _without(signals: bytes, gone: Collection[tuple[str, bytes]]) -> bytes:
    left = [signals[: _HEAD.size]]
    for tag, part in _parts(signals):
        held = [("pdq", value) for value in _values(part)] if tag == _PDQ else [(_DIGESTS[tag], part)]
        if not any(one in gone for one in held):
            left.append(bytes((tag,)) + part)
    return b"".join(left)


class _Columns:
    """Signals of one type on their way to the index."""

    def __init__(self) -> None:
        self.places = array("q")
        self.shelves = array("q")
        self.values = bytearray()


def _batches(rows: Sequence[Any]) -> tuple[EntryBatch, ...]:
    """What the index holds of rows: each digest, and each picture in all its positions under one number."""
    columns: Mapping[int, _Columns] = {tag: _Columns() for tag in (*_DIGESTS, _PDQ)}
    for row in rows:
        base, unknown = shelf_of(row.received_at, 0), shelf_of(row.received_at, None)
        for number, (tag, part) in enumerate(_parts(row.signals)):
            into, place = columns[tag], place_of(row.id, number)
            if tag != _PDQ:
                into.places.append(place)
                into.shelves.append(unknown)
                into.values += part
                continue
            quality = part[4]
            into.places.extend((place,) * len(_POSITIONS))
            into.shelves.extend((unknown if quality == _NO_QUALITY else base + quality,) * len(_POSITIONS))
            into.values += part[_PICTURE.size :]
    return tuple(
        EntryBatch(type=_DIGESTS.get(tag, "pdq"), ids=one.places, bank_ids=one.shelves, values=bytes(one.values))
        for tag, one in columns.items()
        if one.places
    )
