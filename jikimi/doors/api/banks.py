"""Banks are made, filled, changed and deleted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, BinaryIO

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import Field, TypeAdapter, ValidationError

from jikimi.doors.shared.answers import BankAnswer, EntryAnswer, bank_answer, entry_answer
from jikimi.doors.shared.auth import authorised
from jikimi.doors.shared.body import Received, receive_upload
from jikimi.doors.shared.text import FreeText, Name, PageSize
from jikimi.flows.bank import (
    add_entries,
    change_bank,
    create_bank,
    delete_bank,
    entries_of_file,
    import_lines,
    list_banks,
    named,
    resume_bank,
    show_bank,
    withdraw_entry,
    withdraw_number,
)
from jikimi.flows.index import follow
from jikimi.model.bank import DEFAULT_DISTANCE, DEFAULT_QUALITY_FLOOR, BankPolicy, Category, NewEntry, OnMatch
from jikimi.model.errors import Refused
from jikimi.model.listfile import BadLine, read_list
from jikimi.model.people import Key, Scope
from jikimi.model.signal import SIGNAL_KINDS, parse_signal
from jikimi.ports import Kit

MAX_ENTRIES = 10_000
"""Signals in one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankInput:
    """A bank to be made."""

    name: Name
    category: Category
    on_match: OnMatch
    max_distance: int = DEFAULT_DISTANCE
    quality_floor: int = DEFAULT_QUALITY_FLOOR
    on_disputed: OnMatch = OnMatch.HOLD
    on_unconfirmed: OnMatch = OnMatch.HOLD
    source: FreeText = ""
    note: FreeText = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BankChange:
    """What to change of a bank; what is left out stays. `resume` lets a flooded bank block again."""

    on_match: OnMatch | None = None
    max_distance: int | None = None
    quality_floor: int | None = None
    on_disputed: OnMatch | None = None
    on_unconfirmed: OnMatch | None = None
    source: FreeText | None = None
    note: FreeText | None = None
    enabled: bool | None = None
    resume: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryInput:
    """A signal to be added."""

    type: Annotated[str, Field(max_length=40)]
    value: Annotated[str, Field(max_length=200)]
    quality: Annotated[int, Field(ge=0, le=100)] | None = None
    note: FreeText = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesInput:
    """Signals to be added."""

    signals: Annotated[list[EntryInput], Field(max_length=MAX_ENTRIES)]


_READ_ENTRIES = TypeAdapter(EntriesInput)
_BAD_LINES_TOLD = 100
_ENTRIES = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["signals"],
                    "properties": {
                        "signals": {
                            "type": "array",
                            "maxItems": MAX_ENTRIES,
                            "items": {
                                "type": "object",
                                "required": ["type", "value"],
                                "properties": {
                                    "type": {"type": "string"},
                                    "value": {"type": "string"},
                                    "quality": {"type": "integer", "minimum": 0, "maximum": 100},
                                    "note": {"type": "string"},
                                },
                            },
                        }
                    },
                }
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedAnswer:
    """How many entries are new, how many were there; what of a file, or which lines of a list, could not be taken."""

    added: int
    present: int
    unchecked: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedAnswer:
    """How many entries went with a bank."""

    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesAnswer:
    """A page of entries; ask again with `after` until `next_after` is null."""

    entries: list[EntryAnswer]
    next_after: int | None


def routes(kit: Kit) -> APIRouter:
    """Everything under `/v1/banks`."""
    router = APIRouter(prefix="/v1/banks", tags=["banks"])
    _add_banks(router, kit)
    _add_entries(router, kit)
    return router


def _add_banks(router: APIRouter, kit: Kit) -> None:

    @router.get("", summary="List banks")
    def list_all(request: Request) -> list[BankAnswer]:
        authorised(kit, request, Scope.READ, Scope.BANKS)
        return [bank_answer(view) for view in list_banks(kit)]

    @router.post("", status_code=201, summary="Make a bank")
    def create(request: Request, body: BankInput) -> BankAnswer:
        key = authorised(kit, request, Scope.BANKS)
        policy = BankPolicy(
            name=body.name,
            category=body.category,
            on_match=body.on_match,
            max_distance=body.max_distance,
            quality_floor=body.quality_floor,
            on_disputed=body.on_disputed,
            on_unconfirmed=body.on_unconfirmed,
            source=body.source,
            note=body.note,
            enabled=body.enabled,
        )
        create_bank(kit, key.name, policy)
        return bank_answer(show_bank(kit, body.name))

    @router.get("/{name}", summary="Show a bank")
    def show(request: Request, name: Name) -> BankAnswer:
        authorised(kit, request, Scope.READ, Scope.BANKS)
        return bank_answer(show_bank(kit, name))

    @router.patch("/{name}", summary="Change a bank")
    def change(request: Request, name: Name, body: BankChange) -> BankAnswer:
        key = authorised(kit, request, Scope.BANKS)
        change_bank(kit, key.name, name, lambda policy: _changed(policy, body))
        if body.resume:
            resume_bank(kit, key.name, name)
        return bank_answer(show_bank(kit, name))

    @router.delete("/{name}", summary="Delete a bank with its entries")
    def delete(request: Request, name: Name) -> DeletedAnswer:
        key = authorised(kit, request, Scope.BANKS)
        return DeletedAnswer(entries=delete_bank(kit, key.name, name))


def _add_entries(router: APIRouter, kit: Kit) -> None:
    @router.get("/{name}/entries", summary="Read the entries of a bank that people added, and none of exchanges' lists")
    def entries(
        request: Request,
        name: Name,
        after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
        limit: PageSize = 1000,
    ) -> EntriesAnswer:
        authorised(kit, request, Scope.BANKS)
        with kit.store.read() as tx:
            page = [entry_answer(entry) for entry in tx.entries.export(named(tx, name), after=after, limit=limit)]
        return EntriesAnswer(entries=page, next_after=page[-1].id if len(page) == limit else None)

    @router.post("/{name}/entries", summary="Add signals or a picture", openapi_extra=_ENTRIES)
    async def add(request: Request, name: Name, note: FreeText = "") -> AddedAnswer:
        """Send signals as JSON, a list of any length as NDJSON, or a picture as the body or the file of a form."""
        key = await to_thread.run_sync(authorised, kit, request, Scope.BANKS)
        received = await receive_upload(request, kit.reader.limits.max_bytes)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        return await to_thread.run_sync(_add, kit, key, name, received, kind, note)

    @router.delete("/{name}/entries/{number}", summary="Withdraw an entry by its number")
    def withdraw_by_number(
        request: Request, name: Name, number: Annotated[int, Path(ge=0, le=2**63 - 1)]
    ) -> EntryAnswer:
        key = authorised(kit, request, Scope.BANKS)
        return entry_answer(withdraw_number(kit, key.name, name, number))

    @router.delete("/{name}/entries/{type_}/{value}", summary="Withdraw an entry by its signal")
    def withdraw(request: Request, name: Name, type_: str, value: str) -> EntryAnswer:
        key = authorised(kit, request, Scope.BANKS)
        return entry_answer(withdraw_entry(kit, key.name, name, parse_signal(type_, value)))


def _changed(policy: BankPolicy, body: BankChange) -> BankPolicy:
    wanted = {
        "on_match": body.on_match,
        "max_distance": body.max_distance,
        "quality_floor": body.quality_floor,
        "on_disputed": body.on_disputed,
        "on_unconfirmed": body.on_unconfirmed,
        "source": body.source,
        "note": body.note,
        "enabled": body.enabled,
    }
    return replace(policy, **{name: value for name, value in wanted.items() if value is not None})  # type: ignore[arg-type]


def _entry(one: EntryInput) -> NewEntry:
    signal = parse_signal(one.type, one.value)
    quality = one.quality if SIGNAL_KINDS[signal.type].perceptual else None
    return NewEntry(signal=replace(signal, quality=quality), note=one.note)


def _add(kit: Kit, key: Key, name: str, received: Received, kind: str, note: str) -> AddedAnswer:
    if received.file is None:
        raise Refused(
            "body_too_large",
            f"The body is larger than {kit.reader.limits.max_bytes} bytes; add a sha256, or use `jikimi bank import`.",
        )
    with received.file as file:
        if kind == "application/json":
            return _add_signals(kit, key, name, file)
        if kind == "application/x-ndjson":
            return _add_list(kit, key, name, file)
        offered = entries_of_file(kit, file, show_bank(kit, name).bank.policy, note)
    added = add_entries(kit, key.name, name, offered.entries)
    return AddedAnswer(added=added.added, present=added.present, unchecked=list(offered.faults))


def _add_signals(kit: Kit, key: Key, name: str, file: BinaryIO) -> AddedAnswer:
    try:
        body = _READ_ENTRIES.validate_json(file.read())
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from error
    added = add_entries(kit, key.name, name, [_entry(one) for one in body.signals])
    return AddedAnswer(added=added.added, present=added.present, unchecked=[])


def _add_list(kit: Kit, key: Key, name: str, file: BinaryIO) -> AddedAnswer:
    bad: list[str] = []

    def on_bad(line: BadLine) -> None:
        if len(bad) < _BAD_LINES_TOLD:
            bad.append(f"line {line.number}: {line.problem}")

    lines = read_list(raw.decode("utf-8", "replace") for raw in file)
    total = import_lines(kit, key.name, name, lines, on_bad=on_bad)
    follow(kit)
    return AddedAnswer(added=total.added, present=total.present, unchecked=bad)
