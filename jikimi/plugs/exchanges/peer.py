"""Peer jikimi: a bank of another service that runs jikimi.

    GET  /v1/peer/banks/BANK/entries?after=…     what has changed after a checkpoint, in the order of the changes
    POST /v1/peer/banks/BANK/feedback            seen, right or wrong, by the other side's number of the entry

1  every answer is signed with the key that the other side's operator gave us; what is not, or answers another question,
   or is old, is asked for once more and then ends the pull: nothing is taken from it
2  a checkpoint names the database that it is of; another one, or an answer of 410, means a whole pull
3  what has gone is forgotten here, value and all: why it has gone is not ours to know
4  how far the other side is believed is a setting; unless it says otherwise, what it lists is held and never blocked
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode, urlsplit

from jikimi.model.errors import Refused, Unavailable
from jikimi.model.exchange import CheckpointStaleError, Feedback, Opinion, Page, SourceRecord, Trust
from jikimi.model.form import setting
from jikimi.model.peer import (
    MOST_ENTRIES,
    MOST_SAID,
    SIGNATURE,
    TAKEN,
    TOLERANCE,
    public_bytes,
    read_signature,
    signed_text,
)
from jikimi.model.signal import parse_signal
from jikimi.plugs.peer_key import is_signed
from jikimi.ports.exchanges import Got, Opined, Web

T = TypeVar("T")
_BANKS = "/v1/peer/banks"
_BANK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_CHECKPOINT = re.compile(r"[0-9a-f-]{1,100}")
_ORIGIN = re.compile(r"[A-Za-z0-9_-]{1,100}")
_OURS = re.compile(f"{_ORIGIN.pattern} {_CHECKPOINT.pattern}")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MOST_BYTES = 64 << 20
_NONCE_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig:
    """Settings of a peer."""

    address: str = setting("Address of the other service.")
    bank: str = setting("Its bank.")
    key: str = setting("Key that its operator made for you.", secret=True)
    identity: str = setting("What `jikimi peer identity` prints there.")
    page_size: int = setting("Entries a page.", default=2000)
    trust: Trust = setting(  # noqa: RUF009 - a field, as above; the type hides it from the rule
        "How far its entries are believed: unconfirmed ones are held.", default=Trust.UNCONFIRMED
    )

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        is_private = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        if not is_private or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("address: write https://name, without a query")
        if not _BANK.fullmatch(self.bank):
            raise ValueError("bank: is the name of a bank there")
        try:
            public_bytes(self.identity)
        except ValueError as error:
            raise ValueError(f"identity: {error}") from error
        if not 1 <= self.page_size <= MOST_ENTRIES:
            raise ValueError(f"page_size: is 1 to {MOST_ENTRIES}")


class _UnprovenError(Exception):
    """An answer that is not what the other side has signed, or cannot be read."""


class Peer:
    """A bank of another service that runs jikimi."""

    Config: ClassVar[type] = PeerConfig
    gives: ClassVar[frozenset[Feedback]] = frozenset(TAKEN)
    forgets: ClassVar[bool] = True
    is_whole = False

    def __init__(self, config: PeerConfig, web: Web, now: datetime, clock: Callable[[], float] = time.time) -> None:
        self._config, self._web, self._now = config, web, now
        self._clock = clock
        """How old a signature is: a pull may last longer than a signature counts, so `now` will not do."""

    @staticmethod
    def hosts(config: PeerConfig) -> frozenset[str]:
        """The host of the other service."""
        return frozenset({urlsplit(config.address).netloc.lower()})

    def pull(self, checkpoint: str) -> Iterator[Page]:
        """Give what has changed after a checkpoint: the other side's, with the name of its database before it."""
        if checkpoint and not _OURS.fullmatch(checkpoint):
            raise CheckpointStaleError
        origin, _, after = checkpoint.partition(" ")
        has_more = True
        while has_more:
            answer = self._page(after)
            if origin and answer["origin"] != origin:
                raise CheckpointStaleError
            origin, has_more = answer["origin"], answer["has_more"]
            if answer["checkpoint"] != after:
                yield page_of(answer, self._config.trust)
            elif has_more:
                raise _unreadable("it leads nowhere")
            after = answer["checkpoint"]

    def push(self, opined: Sequence[Opined]) -> None:
        """Say what people here decided about its entries."""
        if any(one.feedback not in self.gives for one in opined):
            raise Refused("feedback_untaken", "A peer takes no new signals; let it read a bank of yours instead.")
        at = self._now.isoformat()
        said = [{"id": int(one.record), "feedback": one.feedback.value, "at": at} for one in opined]
        for start in range(0, len(said), MOST_SAID):
            body = json.dumps(said[start : start + MOST_SAID]).encode()
            _twice(partial(self._tell, body))

    def _tell(self, body: bytes) -> None:
        self._proven("POST", f"{_BANKS}/{self._config.bank}/feedback?once={_nonce()}", body)

    def _page(self, after: str) -> Mapping[str, Any]:
        def ask() -> Mapping[str, Any]:
            query = urlencode({"after": after, "limit": self._config.page_size, "once": _nonce()})
            return _object(self._proven("GET", f"{_BANKS}/{self._config.bank}/entries?{query}"))

        try:
            return _twice(ask)
        except CheckpointStaleError:
            if after:
                raise
            raise _unreadable("it has no beginning") from None

    def _proven(self, method: str, target: str, body: bytes = b"") -> bytes:
        """The body of an answer that the other side has signed for this very question."""
        headers = {"Authorization": f"Bearer {self._config.key}", "Content-Type": "application/json"}
        url = self._config.address.rstrip("/") + target
        got = self._web.ask(method, url, headers=headers, body=body, most=_MOST_BYTES)
        _check_status(got)
        try:
            signature = read_signature(got.headers.get(SIGNATURE.lower(), ""))
        except ValueError as error:
            raise _UnprovenError(str(error)) from error
        if signature.key != self._config.identity:
            raise Refused(
                "peer_key_changed",
                "The peer signs with another key than its identity says. Ask its operator, by telephone or in person, "
                "and set identity anew; until then nothing is taken from it.",
            )
        if not is_signed(signed_text(method, target, signature.at, got.body), signature.value, signature.key):
            raise _UnprovenError("its signature is not right")
        age = self._clock() - signature.at
        if abs(age) > TOLERANCE:
            raise _UnprovenError(f"it was signed {age:.0f} seconds ago: an old answer, or a clock")
        return got.body


def _twice(ask: Callable[[], T]) -> T:
    """Ask once more where an answer was cut or changed on its way; then it is a failure."""
    try:
        return ask()
    except _UnprovenError:
        pass
    try:
        return ask()
    except _UnprovenError as error:
        raise _unreadable(str(error)) from error


def page_of(answer: Mapping[str, Any], trust: Trust) -> Page:
    """Convert a page; what has gone comes first, so that an entry of the same page can come back."""
    gone = [SourceRecord(key=str(number), withdrawn=True) for number in answer["gone"]]
    read = [_record(one, answer["origin"], trust, place) for place, one in enumerate(answer["entries"], start=1)]
    return Page(
        records=(*gone, *(one for one in read if isinstance(one, SourceRecord))),
        checkpoint=f"{answer['origin']} {answer['checkpoint']}",
        faults=tuple(one for one in read if isinstance(one, str)),
    )


def _record(untrusted: object, origin: str, trust: Trust, place: int) -> SourceRecord | str:
    if not isinstance(untrusted, dict) or not _is_number(untrusted.get("id")):
        return f"entry {place} of a page: not_readable"
    key = str(untrusted["id"])
    try:
        signal = parse_signal(str(untrusted.get("type")), str(untrusted.get("value")))
        theirs = Trust(untrusted.get("trust", ""))
        return SourceRecord(
            key=key,
            signals=(replace(signal, quality=_quality(untrusted.get("quality"))),),
            opinion=Opinion(untrusted.get("opinion", "")),
            trust=theirs if trust is Trust.CONFIRMED else trust,
            labels=tuple(str(label) for label in untrusted.get("labels") or ()),
            listed_at=_time(untrusted.get("listed_at") or untrusted.get("added_at")),
            detail={"origin": origin},
        )
    except Refused as error:
        return f"entry {key}: {error.code}"
    except (ValueError, TypeError, OverflowError):  # the last: a date that UTC has no name for
        return f"entry {key}: not_readable"


def _object(body: bytes) -> Mapping[str, Any]:
    """A page with its outer shape checked; its entries are looked at one by one."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _UnprovenError("it is not JSON") from error
    if (
        not isinstance(answer, dict)
        or not _is_text(answer.get("origin"), _ORIGIN)
        or not _is_text(answer.get("checkpoint"), _CHECKPOINT)
        or not isinstance(answer.get("has_more"), bool)
        or not isinstance(answer.get("entries"), list)
        or not isinstance(answer.get("gone"), list)
        or not all(map(_is_number, answer["gone"]))
    ):
        raise _UnprovenError("it has not the shape of a page")
    return answer


def _check_status(got: Got) -> None:
    if got.status == 410:
        raise CheckpointStaleError
    if got.status in (401, 403):
        raise Refused(
            "exchange_denied",
            f"The peer answers {got.status}: it does not accept our key. Ask its operator for another.",
        )
    if got.status == 404:
        raise Refused("peer_bank_unknown", "The peer shows us no such bank; ask its operator whether it still may.")
    if got.status != 200:
        raise Unavailable("exchange_answer", f"The peer answers {got.status}; the next pull asks again.")


def _is_number(untrusted: object) -> bool:
    return isinstance(untrusted, int) and not isinstance(untrusted, bool) and 0 < untrusted < 2**63


def _is_text(untrusted: object, form: re.Pattern[str]) -> bool:
    return isinstance(untrusted, str) and form.fullmatch(untrusted) is not None


def _quality(untrusted: object) -> int | None:
    return untrusted if type(untrusted) is int and 0 <= untrusted <= 100 else None


def _time(untrusted: object) -> datetime | None:
    if untrusted is None:
        return None
    found = datetime.fromisoformat(str(untrusted))
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found.astimezone(UTC)


def _nonce() -> str:
    """Part of a question, and so of what is signed: an answer that was overheard fits no question of ours."""
    return secrets.token_hex(_NONCE_BYTES)


def _unreadable(why: str) -> Unavailable:
    return Unavailable(
        "exchange_page_broken",
        f"A page of the peer is not taken: {why}. What came before it counts; it is asked again.",
    )
