"""Remembered scans with their matches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update

from jikimi.db.schema import case_links, cases, matches, scans, user_reports
from jikimi.model.action import Target
from jikimi.model.bank import Category, OnMatch
from jikimi.model.exchange import Opinion, Standing, Trust
from jikimi.model.ids import CaseId, ScanId
from jikimi.model.match import Coverage, Disposition, Match, Verdict
from jikimi.model.media import MediaKind
from jikimi.model.queue import Summary
from jikimi.model.scan import Content, Scan, Upload
from jikimi.model.signal import Signal, Variant

_FIRST_SCANS = 20
_NEWEST_MATCHES = 200


class SqlScans:
    """Scans in the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, scan: Scan) -> None:
        """Remember a scan."""
        values = {"id": scan.id, **asdict(scan.upload), **asdict(scan.content), **_outcome(scan)}
        self._connection.execute(insert(scans).values(values))
        self._add_matches(scan, scan.rechecked_at or scan.upload.received_at)

    def settle(self, scan: Scan) -> None:
        """Store what a second check of the same bytes has found."""
        values = {**asdict(scan.content), **_outcome(scan)}
        self._connection.execute(update(scans).where(scans.c.id == scan.id).values(values))
        self._connection.execute(delete(matches).where(matches.c.scan_id == scan.id))
        self._add_matches(scan, scan.rechecked_at or scan.upload.received_at)

    def get(self, scan_id: ScanId) -> Scan | None:
        """One scan."""
        found = self._scans(select(scans).where(scans.c.id == scan_id))
        return found[0] if found else None

    def list(self, *, unchecked: bool, limit: int, before: ScanId | None = None) -> tuple[Scan, ...]:
        """The newest scans, newest first; only those still unchecked if asked; those before one of them."""
        query = select(scans).order_by(scans.c.id.desc()).limit(limit)
        if unchecked:
            query = query.where(scans.c.disposition == Disposition.UNCHECKED)
        if before is not None:
            query = query.where(scans.c.id < before)
        return self._scans(query)

    def of_case(self, case_id: CaseId, limit: int) -> tuple[Scan, ...]:
        """The newest scans that belong to a case, newest first."""
        return self._scans(select(scans).where(scans.c.case_id == case_id).order_by(scans.c.id.desc()).limit(limit))

    def targets(self, case_id: CaseId) -> tuple[Target, ...]:
        """Everything that a case is about in the platform's own names, each once: uploads and what users reported."""
        found: dict[Target, None] = {}
        for told in (scans.c, user_reports.c):
            named = (told.content_id, told.account_id, told.url, told.sha256)
            rows = select(*named).where(told.case_id == case_id).group_by(*named).order_by(func.min(told.id))
            found |= dict.fromkeys(Target(**row._mapping) for row in self._connection.execute(rows))
        return tuple(found)

    def cases_of(self, content_id: str) -> tuple[CaseId, ...]:
        """The cases that the platform's content of this name belongs to, newest first."""
        seen = select(scans.c.case_id).where(scans.c.content_id == content_id, scans.c.case_id.is_not(None))
        reported = select(user_reports.c.case_id).where(user_reports.c.content_id == content_id)
        rows = self._connection.execute(seen.union(reported)).all()
        return tuple(CaseId(row.case_id) for row in sorted(rows, reverse=True))

    def count_matches(self, entry_id: int, since: datetime) -> int:
        """How many uploads that arrived since a time have matched an entry: what is found by looking back is older."""
        counted = (
            select(func.count(matches.c.scan_id.distinct()))
            .join(scans, scans.c.id == matches.c.scan_id)
            .where(matches.c.entry_id == entry_id, matches.c.found_at >= since, scans.c.received_at >= since)
        )
        return self._connection.execute(counted).scalar_one()

    def entries_of(self, upload: Upload, sha256: str) -> frozenset[int]:
        """The entries that are listed with any scan of one upload."""
        found = (
            select(matches.c.entry_id)
            .join(scans, scans.c.id == matches.c.scan_id)
            .where(scans.c.sha256 == sha256, scans.c.content_id == upload.content_id)
            .where(scans.c.received_at == upload.received_at, scans.c.source == upload.source)
        )
        return frozenset(self._connection.execute(found).scalars())

    def of_content(self, case_id: CaseId, sha256: str) -> Scan | None:
        """The newest scan of a content in a case."""
        found = select(scans).where(scans.c.case_id == case_id, scans.c.sha256 == sha256).order_by(scans.c.id.desc())
        return next(iter(self._scans(found.limit(1))), None)

    def of_reference(self, content_id: str, limit: int) -> tuple[Scan, ...]:
        """The newest scans of one of the caller's contents, newest first."""
        found = select(scans).where(scans.c.content_id == content_id).order_by(scans.c.id.desc())
        return self._scans(found.limit(limit))

    def of_entry(self, entry_id: int, limit: int) -> tuple[Scan, ...]:
        """The newest scans that matched an entry, newest first."""
        return self._matched(matches.c.entry_id == entry_id, limit)

    def of_bank(self, bank_id: int, limit: int) -> tuple[Scan, ...]:
        """The newest scans that matched anything in a bank, newest first."""
        return self._matched(matches.c.bank_id == bank_id, limit)

    def entries_known(self, case_id: CaseId, sha256: str, until: datetime) -> frozenset[int]:
        """Entries that matched a content in a case before a time, as far as its first scans there say.

        The first few are enough, and a picture may be posted thousands of times.
        """
        first = (
            select(scans.c.id)
            .where(scans.c.case_id == case_id, scans.c.sha256 == sha256, scans.c.received_at <= until)
            .order_by(scans.c.id)
            .limit(_FIRST_SCANS)
        )
        found = select(matches.c.entry_id).where(matches.c.scan_id.in_(first)).distinct()
        return frozenset(self._connection.execute(found).scalars())

    def has_matched(self, case_id: CaseId, entry_id: int) -> bool:
        """Tell whether an entry matched anything in a case."""
        found = select(matches.c.entry_id).join(scans, scans.c.id == matches.c.scan_id)
        found = found.where(matches.c.entry_id == entry_id, scans.c.case_id == case_id).limit(1)
        return self._connection.execute(found).first() is not None

    def entries_matched(self, case_id: CaseId, limit: int) -> Mapping[int, Category]:
        """Entries that matched anything in a case, with the category of their bank; the oldest entries first."""
        found = select(matches.c.entry_id, matches.c.category).join(scans, scans.c.id == matches.c.scan_id)
        found = found.where(scans.c.case_id == case_id).distinct().order_by(matches.c.entry_id).limit(limit)
        return {row.entry_id: Category(row.category) for row in self._connection.execute(found)}

    def cases_matched_by(self, entry_ids: Collection[int], limit: int) -> tuple[CaseId, ...]:
        """Cases that one of these entries led to, of the newest matches."""
        newest = (
            select(scans.c.case_id)
            .join(matches, scans.c.id == matches.c.scan_id)
            .where(matches.c.entry_id.in_(entry_ids), scans.c.case_id.is_not(None))
            .order_by(matches.c.found_at.desc())
            .limit(_NEWEST_MATCHES)
        )
        return tuple(dict.fromkeys(CaseId(one) for one in self._connection.execute(newest).scalars()))[:limit]

    def summaries(self, case_ids: Sequence[CaseId]) -> Mapping[CaseId, Summary]:
        """What the queue says of these cases: the strongest match of the first scan, and how much there is."""
        first = select(func.min(scans.c.id)).where(scans.c.case_id == cases.c.id).scalar_subquery()
        count = select(func.count(scans.c.id)).where(scans.c.case_id == cases.c.id).scalar_subquery()
        linked = select(func.count()).where(case_links.c.case_id == cases.c.id, case_links.c.what == "content")
        contents = linked.scalar_subquery().label("contents")
        found = (
            select(cases.c.id, count.label("uploads"), contents, matches.c.bank, matches.c.distance)
            .select_from(cases)
            .outerjoin(matches, and_(matches.c.scan_id == first, matches.c.place == 0))
            .where(cases.c.id.in_(case_ids))
        )
        return {
            CaseId(row.id): Summary(
                bank=row.bank or "", distance=row.distance, uploads=row.uploads, contents=row.contents
            )
            for row in self._connection.execute(found)
        }

    def is_in_case(self, upload: Upload, case_id: CaseId) -> bool:
        """Tell whether one upload, and not only its content, belongs to a case already."""
        found = select(scans.c.id).where(scans.c.case_id == case_id, scans.c.content_id == upload.content_id)
        found = found.where(scans.c.received_at == upload.received_at, scans.c.source == upload.source).limit(1)
        return self._connection.execute(found).first() is not None

    def _matched(self, condition: ColumnElement[bool], limit: int) -> tuple[Scan, ...]:
        newest = select(matches.c.scan_id).where(condition).order_by(matches.c.found_at.desc()).limit(limit)
        ids = list(dict.fromkeys(self._connection.execute(newest).scalars()))
        return self._scans(select(scans).where(scans.c.id.in_(ids)).order_by(scans.c.id.desc()))

    def _add_matches(self, scan: Scan, found_at: datetime) -> None:
        rows = [
            {
                **asdict(match),
                "scan_id": scan.id,
                "place": place,
                "flooded": int(match.flooded),
                "flattened": int(match.flattened),
                "found_at": found_at,
                "standing": _written(match.standing),
            }
            for place, match in enumerate(scan.verdict.matches)
        ]
        if rows:
            self._connection.execute(insert(matches), rows)

    def _scans(self, query: Any) -> tuple[Scan, ...]:
        rows = self._connection.execute(query).all()
        found: dict[str, list[Match]] = {row.id: [] for row in rows}
        of_these = select(matches).where(matches.c.scan_id.in_(found)).order_by(matches.c.scan_id, matches.c.place)
        for row in self._connection.execute(of_these) if found else ():
            found[row.scan_id].append(_match(row))
        return tuple(_scan(row, tuple(found[row.id])) for row in rows)


def _outcome(scan: Scan) -> dict[str, Any]:
    return {
        "disposition": scan.verdict.disposition,
        "reasons": list(scan.verdict.reasons),
        "coverage": asdict(scan.verdict.coverage),
        "signals": [[one.type, one.text, one.quality, one.frame] for one in scan.signals],
        "elapsed_ms": scan.elapsed_ms,
        "case_id": scan.case_id,
        "rechecked_at": scan.rechecked_at,
    }


def _scan(row: Row[Any], found: tuple[Match, ...]) -> Scan:
    coverage = Coverage(**{**row.coverage, "signals": tuple(row.coverage["signals"])})
    return Scan(
        id=ScanId(row.id),
        upload=Upload(
            source=row.source,
            received_at=row.received_at,
            content_id=row.content_id,
            account_id=row.account_id,
            url=row.url,
            filename=row.filename,
        ),
        content=Content(
            kind=MediaKind(row.kind),
            size=row.size,
            sha256=row.sha256,
            sha1=row.sha1,
            md5=row.md5,
            width=row.width,
            height=row.height,
        ),
        verdict=Verdict(
            disposition=Disposition(row.disposition), reasons=tuple(row.reasons), matches=found, coverage=coverage
        ),
        signals=tuple(
            Signal(type=type_, value=bytes.fromhex(value), quality=quality, frame=frame)
            for type_, value, quality, frame in row.signals
        ),
        elapsed_ms=row.elapsed_ms,
        case_id=row.case_id,
        rechecked_at=row.rechecked_at,
    )


def _match(row: Row[Any]) -> Match:
    return Match(
        entry_id=row.entry_id,
        bank_id=row.bank_id,
        bank=row.bank,
        category=Category(row.category),
        effect=OnMatch(row.effect),
        flooded=bool(row.flooded),
        source=row.source,
        type=row.type,
        distance=row.distance,
        variant=Variant(row.variant),
        frame=row.frame,
        flattened=bool(row.flattened),
        standing=_read(row.standing),
    )


def _written(standing: Standing) -> Mapping[str, Any] | None:
    if standing == Standing():
        return None
    listed_at = standing.listed_at
    return {
        "opinion": standing.opinion,
        "trust": standing.trust,
        "labels": list(standing.labels),
        "listed_at": listed_at.isoformat() if listed_at else None,
    }


def _read(written: Mapping[str, Any] | None) -> Standing:
    if written is None:
        return Standing()
    return Standing(
        opinion=Opinion(written["opinion"]),
        trust=Trust(written["trust"]),
        labels=tuple(written["labels"]),
        listed_at=datetime.fromisoformat(written["listed_at"]) if written["listed_at"] else None,
    )
