"""`/c/signal_type` and `/c/content_type`: what there is, and how much of it."""

from __future__ import annotations

from jikimi.doors.protocols.hma.matching import states
from jikimi.doors.protocols.hma.routing import Answer, Call
from jikimi.model.errors import Refused
from jikimi.model.hma import CONTENT_TYPES, OUR_TYPES, our_type


def signal_types(call: Call) -> Answer:
    """`GET /c/signal_type`."""
    return Answer(json=[{"name": name, "enabled_ratio": 1.0} for name in OUR_TYPES])


def change_signal_type(call: Call) -> Answer:
    """`PUT /c/signal_type/NAME`: every type is always on here, so only that can be asked for."""
    name, ratio = call.path["signal_type_name"], call.body.json.get("enabled_ratio")
    our_type(name)
    if isinstance(ratio, bool) or ratio != 1:
        raise Refused("signal_type_fixed", "Every signal type is on; to leave something out, disable its bank.")
    return Answer(json={"name": name, "enabled_ratio": 1.0})


def index(call: Call) -> Answer:
    """`GET /c/signal_type/index`."""
    return Answer(
        json={
            name: {
                "db_size": state.in_database,
                "index_size": state.in_index,
                "index_out_of_date": state.is_behind,
                "newest_db_item": state.newest,
                "index_built_to": state.built_to,
            }
            for name, state in states(call).items()
        }
    )


def content_types(call: Call) -> Answer:
    """`GET /c/content_type`."""
    return Answer(json=[{"name": name, "enabled": True} for name in CONTENT_TYPES])
