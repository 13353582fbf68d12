"""Which proxy stands between us and a host: the one in the settings, or that of the usual environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.request import proxy_bypass

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from jikimi.model.errors import Refused

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def proxy_for(url: Url, said: str, environment: Mapping[str, str]) -> Url | None:
    """The proxy for an address, or none; `environment` as `urllib.request.getproxies_environment` gives it."""
    host = url.host or ""
    where = said or environment.get(url.scheme or "") or environment.get("all") or ""
    if not where or host in LOOPBACK or proxy_bypass(f"{host}:{url.port or 443}", dict(environment)):
        return None
    return _parsed(where)


def _parsed(where: str) -> Url:
    """It may hold a password, so that a mistake is told without it."""
    try:
        proxy = parse_url(where if "://" in where else f"http://{where}")
    except LocationParseError:
        proxy = Url()
    if proxy.scheme not in ("http", "https") or not proxy.host:
        raise Refused(
            "web_proxy_invalid", "The proxy has to be http://name:port or https://name:port; change outgoing_proxy."
        )
    return proxy
