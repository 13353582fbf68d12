"""Every route, with who may call it."""

from __future__ import annotations

from jikimi.doors.protocols.hma import banks, contents, core, exchanges, hashing, matching, types
from jikimi.doors.protocols.hma.routing import Answer, Call, Route, Takes
from jikimi.model.people import Scope

_SCAN, _READ, _BANKS = (Scope.SCAN,), (Scope.READ, Scope.BANKS), (Scope.BANKS,)
_CONTENT = "/c/bank/{bank_name}/content/{content_id}"


def site_map(call: Call) -> Answer:
    """`GET /site-map`: every path, its parts that vary in angle brackets."""
    return Answer(json=sorted({route.path.replace("{", "<").replace("}", ">") for route in ROUTES}))


ROUTES = (
    Route(method="GET", path="/", answer=core.start),
    Route(method="GET", path="/status", answer=core.status),
    Route(method="GET", path="/status/live", answer=core.live),
    Route(method="GET", path="/site-map", answer=site_map),
    Route(method="GET", path="/h/hash", answer=hashing.hash_address, scopes=_SCAN),
    Route(method="POST", path="/h/hash", answer=hashing.hash_sent, scopes=_SCAN, takes=Takes.FILE),
    Route(method="GET", path="/m/raw_lookup", answer=matching.raw, scopes=_SCAN),
    Route(method="GET", path="/m/lookup", answer=matching.look_up, scopes=_SCAN),
    Route(method="POST", path="/m/lookup", answer=matching.look_up_sent, scopes=_SCAN, takes=Takes.FILE),
    Route(method="GET", path="/m/index/status", answer=matching.index_status, scopes=_SCAN),
    Route(method="POST", path="/m/compare", answer=matching.compare_signals, scopes=_SCAN, takes=Takes.JSON),
    Route(method="GET", path="/c/banks", answer=banks.list_all, scopes=_READ),
    Route(method="POST", path="/c/banks", answer=banks.create, scopes=_BANKS, takes=Takes.MODEL),
    Route(method="GET", path="/c/bank/{bank_name}", answer=banks.show, scopes=_READ),
    Route(method="PUT", path="/c/bank/{bank_name}", answer=banks.change, scopes=_BANKS, takes=Takes.MODEL),
    Route(method="DELETE", path="/c/bank/{bank_name}", answer=banks.delete, scopes=_BANKS),
    Route(method="POST", path="/c/bank/{bank_name}/content", answer=contents.add, scopes=_BANKS, takes=Takes.CONTENT),
    Route(
        method="POST", path="/c/bank/{bank_name}/signal", answer=contents.add_signals, scopes=_BANKS, takes=Takes.JSON
    ),
    Route(method="GET", path=_CONTENT, answer=contents.show, scopes=_READ),
    Route(method="PUT", path=_CONTENT, answer=contents.change, scopes=_BANKS, takes=Takes.JSON),
    Route(method="DELETE", path=_CONTENT, answer=contents.delete, scopes=_BANKS),
    Route(method="GET", path="/c/exchanges/apis", answer=exchanges.list_apis, scopes=_READ),
    Route(method="GET", path="/c/exchanges/api/{api_name}", answer=exchanges.api, scopes=_READ),
    Route(
        method="POST",
        path="/c/exchanges/api/{api_name}",
        answer=exchanges.change_api,
        scopes=_BANKS,
        takes=Takes.JSON,
    ),
    Route(method="GET", path="/c/exchanges/api/{api_name}/schema", answer=exchanges.api_schema, scopes=_READ),
    Route(method="GET", path="/c/exchanges", answer=exchanges.list_all, scopes=_READ),
    Route(method="POST", path="/c/exchanges", answer=exchanges.create, scopes=_BANKS, takes=Takes.JSON),
    Route(method="GET", path="/c/exchange/{exchange_name}", answer=exchanges.config, scopes=_READ),
    Route(method="GET", path="/c/exchange/{exchange_name}/status", answer=exchanges.status, scopes=_READ),
    Route(method="PUT", path="/c/exchange/{exchange_name}", answer=exchanges.change, scopes=_BANKS, takes=Takes.MODEL),
    Route(method="DELETE", path="/c/exchange/{exchange_name}", answer=exchanges.delete, scopes=_BANKS),
    Route(method="GET", path="/c/signal_type", answer=types.signal_types, scopes=_READ),
    Route(method="GET", path="/c/signal_type/index", answer=types.index, scopes=_READ),
    Route(
        method="PUT",
        path="/c/signal_type/{signal_type_name}",
        answer=types.change_signal_type,
        scopes=_BANKS,
        takes=Takes.JSON,
    ),
    Route(method="GET", path="/c/content_type", answer=types.content_types, scopes=_READ),
)
