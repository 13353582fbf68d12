"""What a browser is told with every answer of the pages: run our scripts only, keep nothing, show us in nobody's frame.

Every answer carries a nonce of its own. A script or an htmx attribute without it is inert, so markup that slipped in
through a string does nothing even if escaping failed once. Nothing may be fetched from anywhere else.
"""

from __future__ import annotations

import secrets

from starlette.datastructures import MutableHeaders

_NONCE_BYTES = 18

_ALWAYS = {
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=()",
}
"""The referrer stays at home: `same-origin` and not `no-referrer`, under which forms would name no origin."""


def new_nonce() -> str:
    """A word that nobody outside of this answer knows."""
    return secrets.token_urlsafe(_NONCE_BYTES)


def policy(nonce: str) -> str:
    """The content security policy of one answer."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'nonce-{nonce}'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types htmx",
        )
    )


def protect(headers: MutableHeaders, nonce: str = "") -> None:
    """Set the headers of an answer that has not set them itself; an answer without nonce may run nothing."""
    headers.setdefault("Content-Security-Policy", policy(nonce or new_nonce()))
    headers.setdefault("Cache-Control", "no-store")
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
