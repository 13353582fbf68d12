"""What an identity provider knows us by, and whom we tell secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from jikimi.model.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """What an operator has written about the identity provider; no issuer: there is none."""

    issuer: str = ""
    client_id: str = ""
    client_secret_file: Path | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What the provider knows us by, and where it sends browsers back to."""

    issuer: str
    id: str
    secret: str = field(repr=False)
    name: str
    redirect: str


def client_of(origin: str, settings: ProviderSettings) -> Client | None:
    """The client that the settings describe; none without an issuer."""
    if not settings.issuer:
        return None
    if not is_safe_address(settings.issuer):
        raise Refused("settings_invalid", "oidc_issuer has to begin with https://.")
    try:
        secret = settings.client_secret_file.read_text().strip() if settings.client_secret_file else ""
    except OSError as error:
        raise Refused("settings_invalid", f"oidc_client_secret_file cannot be read: {error.strerror}.") from error
    return Client(
        issuer=settings.issuer,
        id=settings.client_id,
        secret=secret,
        name=settings.name or urlsplit(settings.issuer).hostname or "",
        redirect=f"{origin}/desk/signin/provider",
    )


def is_safe_address(address: str) -> bool:
    """Tell whether secrets may be sent there: https, or this very machine."""
    parts = urlsplit(address)
    is_here = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or is_here)
