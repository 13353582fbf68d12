"""`/c/bank/NAME/content` and `/c/bank/NAME/signal`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jikimi.doors.protocols.hma.banks import bank_answer
from jikimi.doors.protocols.hma.hashing import sent_file
from jikimi.doors.protocols.hma.requests import json_of
from jikimi.doors.protocols.hma.routing import Answer, Call
from jikimi.flows.hma import ShownContent, add_content, alter_content, bank, delete_content, show_content
from jikimi.flows.hma_match import fetch_file, hash_file
from jikimi.model.errors import Refused
from jikimi.model.hma import (
    NewContent,
    checked_disable_until,
    checked_metadata,
    checked_note,
    hma_type,
    read_content_id,
    read_signal,
)
from jikimi.model.signal import Signal

_COOPS = ("content_id", "content_uri")
"""Form fields beside `metadata` by which ROOST Coop says what HMA wants inside it."""


def add(call: Call) -> Answer:
    """`POST /c/bank/NAME/content`: a file, or the address of one."""
    bank(call.here.kit, call.path["bank_name"])  # before a file is worked on
    note, metadata = _said(call)
    if call.body.file is None and not call.query.get("url"):
        raise Refused("file_missing", "Send url, or exactly one file in a form field `photo` or `video`.")
    hashed = _hashed(call)
    if not all(hashed.values()):
        raise Refused("quality_low", "This picture has too little structure for pdq, so it could not be matched.")
    signals = tuple(signal for some in hashed.values() for signal in some)
    new = NewContent(signals=signals, note=note, metadata=metadata)
    content = add_content(call.here.kit, call.actor, call.path["bank_name"], new)
    return Answer(json={"id": content.id, "signals": {name: some[0].text for name, some in hashed.items()}})


def add_signals(call: Call) -> Answer:
    """`POST /c/bank/NAME/signal`."""
    bank(call.here.kit, call.path["bank_name"])
    note = checked_note(call.body.json.get("note") or "")
    signals: dict[str, Signal] = {}
    for name, value in call.body.json.items():
        if name != "note":
            signals[name] = read_signal(name, value if isinstance(value, str) else "")
    if not signals:
        raise Refused("signal_missing", "Send at least one signal type with its value.")
    if len({signal.type for signal in signals.values()}) < len(signals):
        raise Refused("signal_twice", "md5 and video_md5 are one type here; send one of them.")
    new = NewContent(signals=tuple(signals.values()), note=note)
    content = add_content(call.here.kit, call.actor, call.path["bank_name"], new)
    return Answer(json={"id": content.id, "signals": {name: signal.text for name, signal in signals.items()}})


def show(call: Call) -> Answer:
    """`GET /c/bank/NAME/content/ID`."""
    shown = show_content(call.here.kit, call.path["bank_name"], read_content_id(call.path["content_id"]))
    answer = _answer(shown)
    if _flag(call.query, "include_signals", default=False):
        answer["signals"] = _texts(shown)
    if shown.content.note:
        answer["note"] = shown.content.note
    metadata = shown.content.metadata or {}
    if _flag(call.query, "include_metadata", default=True) and (metadata or shown.sources):
        said = {name: metadata.get(name) for name in (*_COOPS, "json")}
        answer["metadata"] = {**said, "collab": _collab(shown) or None}
    return Answer(json=answer)


def change(call: Call) -> Answer:
    """`PUT /c/bank/NAME/content/ID`."""
    said, now = call.body.json, call.here.kit.clock()
    shown = alter_content(
        call.here.kit,
        call.actor,
        call.path["bank_name"],
        read_content_id(call.path["content_id"]),
        note=None if said.get("note") is None else checked_note(said["note"]),
        disable_until=checked_disable_until(said["disable_until_ts"], now) if "disable_until_ts" in said else None,
    )
    return Answer(
        json={
            **_answer(shown),
            "collab_metadata": _collab(shown),
            "user_metadata": None if shown.content.metadata is None else dict(shown.content.metadata),
            "note": shown.content.note,
        }
    )


def delete(call: Call) -> Answer:
    """`DELETE /c/bank/NAME/content/ID`."""
    number = read_content_id(call.path["content_id"])
    is_gone = delete_content(call.here.kit, call.actor, call.path["bank_name"], number)
    return Answer(json={"deleted": int(is_gone)})


def _hashed(call: Call) -> dict[str, tuple[Signal, ...]]:
    kit, types = call.here.kit, call.query.get("types")
    if call.body.file is not None:
        return hash_file(kit, *sent_file(call), types)
    file, content = fetch_file(kit, call.query["url"], call.query.get("content_type"))
    with file:
        return hash_file(kit, file, content, types)


def _said(call: Call) -> tuple[str, dict[str, Any] | None]:
    """Note and metadata, from a form or from JSON."""
    if call.body.file is None:
        said: Mapping[str, Any] = call.body.json or {}
        metadata = said.get("metadata")
        return checked_note(said.get("note") or ""), None if metadata is None else checked_metadata(metadata)
    fields = call.body.fields
    metadata = json_of(fields["metadata"]) if fields.get("metadata") else None
    beside = {name: fields[name] for name in _COOPS if fields.get(name)}
    if beside:
        metadata = _joined(beside, metadata)
    return checked_note(fields.get("note", "")), None if metadata is None else checked_metadata(metadata)


def _joined(beside: dict[str, str], metadata: Any) -> Any:
    """What Coop sends as three fields, as one: its `metadata` is what HMA would have as `json` inside."""
    if metadata is None:
        return beside
    if isinstance(metadata, dict) and set(metadata) <= {*_COOPS, "json", "collab"}:
        return {**beside, **metadata}
    return {**beside, "json": metadata}


def _answer(shown: ShownContent) -> dict[str, Any]:
    return {
        "id": shown.content.id,
        "disable_until_ts": shown.content.disable_until,
        "original_media_uri": None,
        "bank": bank_answer(shown.bank),
    }


def _texts(shown: ShownContent) -> dict[str, str]:
    """One signal of each type, the first: further ones are those of further frames."""
    return {hma_type(signal.type): signal.text for signal in reversed(shown.signals)}


def _collab(shown: ShownContent) -> dict[str, list[str]]:
    return {name: list(keys) for name, keys in shown.sources.items()}


def _flag(query: Mapping[str, str], name: str, *, default: bool) -> bool:
    return query[name].lower() in ("true", "1", "yes", "on") if name in query else default
