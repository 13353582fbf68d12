"""Banks are read by peers, and feedback comes back from them. Every answer that is not an error is signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, Field, TypeAdapter

from jikimi.doors.shared.auth import authorised
from jikimi.doors.shared.text import Name
from jikimi.flows.peer import Opinioned, SharedBank, read_page, shared_with, sign_answer, take_feedback
from jikimi.model.bank import BankEntry, Category
from jikimi.model.exchange import Feedback, Opinion, Trust
from jikimi.model.peer import MOST_ENTRIES, MOST_SAID, SIGNATURE, SharedPage
from jikimi.model.people import Scope
from jikimi.ports import Kit

_PREFIX = "/v1/peer"
_MOST_NUMBER = 2**63 - 1
_OLDEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBankAnswer:
    """A bank that your key opens. `entries`: how many you may read, by signal type."""

    name: str
    category: Category
    with_lists: bool
    entries: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedEntryAnswer:
    """An entry that counts. `listed_at`: when a list that names it changed last."""

    id: int
    type: str
    value: str
    quality: int | None
    labels: list[str]
    opinion: Opinion
    trust: Trust
    listed_at: datetime | None
    added_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedPageAnswer:
    """Entries that are new or have changed after a checkpoint, and the numbers of those that have gone.

    Ask again with `checkpoint`, at once while `has_more`. Another `origin` is another database.
    """

    origin: str
    bank: str
    after: str
    checkpoint: str
    entries: list[SharedEntryAnswer]
    gone: list[int]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpinionInput:
    """What you think of an entry, and since when."""

    id: Annotated[int, Field(ge=0, le=_MOST_NUMBER)]
    feedback: Feedback
    at: Annotated[AwareDatetime, Field(ge=_OLDEST)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenAnswer:
    """How many opinions were about entries that you may read."""

    taken: int


def routes(kit: Kit) -> APIRouter:
    """Everything under `/v1/peer`."""
    router = APIRouter(prefix=_PREFIX, tags=["peers"])

    @router.get("/banks", summary="List the banks that a peer may read", response_model=list[SharedBankAnswer])
    def banks(request: Request) -> Response:
        key = authorised(kit, request, Scope.PEER)
        return _signed(kit, request, [_bank_answer(shared) for shared in shared_with(kit, key)])

    @router.get("/banks/{bank}/entries", summary="Read what has changed in a bank", response_model=SharedPageAnswer)
    def entries(
        request: Request,
        bank: Name,
        after: Annotated[str, Query(max_length=100, description="The checkpoint of the last page.")] = "",
        limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 1000,
    ) -> Response:
        """Begin without `after`. A `410` means that only reading from the beginning helps."""
        key = authorised(kit, request, Scope.PEER)
        return _signed(kit, request, _page_answer(read_page(kit, key, bank, after, limit)))

    @router.post("/banks/{bank}/feedback", summary="Say what you think of entries", response_model=TakenAnswer)
    def feedback(
        request: Request, bank: Name, opinions: Annotated[list[OpinionInput], Field(max_length=MOST_SAID)]
    ) -> Response:
        """What you call a false positive is disputed for every peer from then on."""
        key = authorised(kit, request, Scope.PEER)
        said = [Opinioned(entry_id=one.id, feedback=one.feedback, at=one.at) for one in opinions]
        return _signed(kit, request, TakenAnswer(taken=take_feedback(kit, key, bank, said)))

    return router


def _signed(kit: Kit, request: Request, answer: Any) -> Response:
    """Write an answer and sign these very bytes, together with what was asked."""
    body = TypeAdapter(Any).dump_json(answer)
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope["raw_path"].decode("latin-1")
    target = path[path.find(_PREFIX) :] + (f"?{query}" if query else "")
    header = sign_answer(kit, request.method, target, body)
    return Response(body, media_type="application/json", headers={SIGNATURE: header})


def _bank_answer(shared: SharedBank) -> SharedBankAnswer:
    policy = shared.grant.bank.policy
    return SharedBankAnswer(
        name=policy.name, category=policy.category, with_lists=shared.grant.with_lists, entries=shared.size
    )


def _page_answer(page: SharedPage) -> SharedPageAnswer:
    return SharedPageAnswer(
        origin=page.origin,
        bank=page.bank,
        after=page.after,
        checkpoint=str(page.checkpoint),
        entries=[_entry_answer(entry) for entry in page.entries],
        gone=list(page.gone),
        has_more=page.has_more,
    )


def _entry_answer(entry: BankEntry) -> SharedEntryAnswer:
    return SharedEntryAnswer(
        id=entry.id,
        type=entry.signal.type,
        value=entry.signal.text,
        quality=entry.signal.quality,
        labels=list(entry.standing.labels),
        opinion=entry.standing.opinion,
        trust=entry.standing.trust,
        listed_at=entry.standing.listed_at,
        added_at=entry.added_at,
    )
