"""Proof that a request that changes something came from our own pages: what the browser itself says about it.

Browsers send `Sec-Fetch-Site`, older ones at least `Origin`; neither can be set by a page of somebody else. A request
with neither is refused: whoever is no browser has the API.
"""

from __future__ import annotations

from starlette.requests import Request

from jikimi.model.errors import Refused


def check_same_origin(request: Request) -> None:
    """Refuse a request that does not prove where it came from."""
    site = request.headers.get("sec-fetch-site")
    host = request.headers.get("host", "")
    ours = (f"https://{host}", f"http://{host}") if host else ()
    is_ours = site == "same-origin" if site else request.headers.get("origin") in ours
    if not is_ours:
        raise Refused("cross_site", "This did not come from our own pages; open the desk and do it there.")
