"""`/m`: signals and files are looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jikimi.doors.protocols.hma.hashing import sent_file
from jikimi.doors.protocols.hma.models import LookupQuery, RawQuery
from jikimi.doors.protocols.hma.routing import Answer, Call
from jikimi.flows.hma_match import (
    Asking,
    IndexState,
    Known,
    fetch_file,
    index_state,
    look_up_file,
    look_up_raw,
    look_up_signal,
)
from jikimi.model.errors import Refused
from jikimi.model.hma import OUR_TYPES, compare, our_type, read_signal

_NO_DISTANCE = "video_md5"
"""HMA's one exact type: it writes '-' for a distance. Our own exact types write 0, which every client can read."""


def raw(call: Call) -> Answer:
    """`GET /m/raw_lookup`."""
    asked = RawQuery.model_validate(call.query)
    found = look_up_raw(call.here.kit, read_signal(asked.signal_type, asked.signal), _names(asked.banks))
    if asked.include_distance:
        return Answer(json={"matches": [_match(asked.signal_type, known) for known in found]})
    return Answer(json={"matches": [known.content_id for known in found]})


def look_up(call: Call) -> Answer:
    """`GET /m/lookup`: by a signal, or by an address."""
    asked = LookupQuery.model_validate(call.query)
    asking = Asking(banks=_names(asked.banks), seed=asked.seed, bypass=asked.bypass_coinflip)
    if asked.url:
        return _look_up_address(call, asked, asking)
    if not asked.signal or not asked.signal_type:
        raise Refused("signal_missing", "Send either url, or signal and signal_type.")
    signal = read_signal(asked.signal_type, asked.signal)
    found = look_up_signal(call.here.kit, signal, asking)
    return Answer(json=_by_bank(asked.signal_type, found))


def look_up_sent(call: Call) -> Answer:
    """`POST /m/lookup`."""
    asking = Asking(
        banks=_names(call.query.get("banks")),
        seed=call.query.get("seed"),
        bypass=call.query.get("bypass_coinflip") == "true",
    )
    file, content = sent_file(call)
    return Answer(json=_by_type(look_up_file(call.here.kit, file, content, call.query.get("types"), asking)))


def index_status(call: Call) -> Answer:
    """`GET /m/index/status`."""
    return Answer(
        json={
            name: {"present": state.built_to >= 0, "built_to": state.built_to, "size": state.in_index}
            for name, state in states(call).items()
        }
    )


def compare_signals(call: Call) -> Answer:
    """`POST /m/compare`."""
    answer = {}
    for name, values in call.body.json.items():
        our_type(name)
        if not isinstance(values, list) or len(values) != 2 or not all(isinstance(value, str) for value in values):
            raise Refused("comparison_invalid", f"Send exactly two signals of type {name} in a list.")
        is_match, distance = compare(name, values)
        answer[name] = [is_match, {"distance": distance}]
    return Answer(json=answer)


def states(call: Call) -> Mapping[str, IndexState]:
    """What the index holds, by HMA's names; of one type if the query names one."""
    wanted = call.query.get("signal_type")
    names = OUR_TYPES if wanted is None else {wanted: our_type(wanted)}
    found = index_state(call.here.kit)
    return {name: found[type_] for name, type_ in names.items()}


def _look_up_address(call: Call, asked: LookupQuery, asking: Asking) -> Answer:
    types = asked.types if asked.signal_type is None else asked.signal_type
    file, content = fetch_file(call.here.kit, asked.url or "", asked.content_type)
    with file:
        found = _by_type(look_up_file(call.here.kit, file, content, types, asking))
    return Answer(json=found if asked.signal_type is None else found[asked.signal_type])


def _by_type(found: Mapping[str, Sequence[Known]]) -> dict[str, Any]:
    return {name: _by_bank(name, known) for name, known in found.items()}


def _by_bank(name: str, found: Sequence[Known]) -> dict[str, list[dict[str, Any]]]:
    banks: dict[str, list[dict[str, Any]]] = {}
    for known in found:
        banks.setdefault(known.bank, []).append(_match(name, known))
    return banks


def _match(name: str, known: Known) -> dict[str, Any]:
    distance = "-" if name == _NO_DISTANCE else str(known.distance)
    return {"bank_content_id": known.content_id, "distance": distance}


def _names(untrusted_list: str | None) -> frozenset[str]:
    return frozenset(name.strip() for name in (untrusted_list or "").split(",") if name.strip())
