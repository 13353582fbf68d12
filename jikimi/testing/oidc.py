"""An identity provider on this machine: discovery, authorization code flow with PKCE, signed ID tokens.

Whoever comes to its authorization endpoint is `subject` and is sent back at once. `spoil` changes the claims of the
next tokens, to play a provider that is wrong or is not the one it says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey


@dataclass(slots=True, kw_only=True)
class _Code:
    nonce: str
    challenge: str
    redirect: str


@dataclass(slots=True, kw_only=True)
class ProviderSimulator:
    """A running provider; use it with `with`."""

    client_id: str = "jikimi"
    client_secret: str = "not a real secret"  # noqa: S105 - of the simulator
    subject: str = "subject-1"
    spoil: dict[str, Any] = field(default_factory=dict)
    is_down: bool = False
    codes: dict[str, _Code] = field(default_factory=dict)
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "one", "use": "sig"}, private=True))
    signing_key: ECKey | None = None
    server: ThreadingHTTPServer = field(init=False)

    @property
    def issuer(self) -> str:
        """Its own address."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Self:
        simulator = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                simulator._get(self)

            def do_POST(self) -> None:
                simulator._post(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()

    def visit(self, address: str) -> tuple[str, str]:
        """Go to the authorization endpoint as a browser does; the state and the code that it is sent back with."""
        asked = _query(address)
        back = _query(self._authorize(asked))
        return back["state"], back["code"]

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        if self.is_down:
            _send(handler, 503, {})
        elif path == "/.well-known/openid-configuration":
            _send(handler, 200, self._description())
        elif path == "/keys":
            _send(handler, 200, {"keys": [self.key.as_dict(private=False)]})
        elif path == "/authorize":
            handler.send_response(302)
            handler.send_header("Location", self._authorize(_query(handler.path)))
            handler.end_headers()
        else:
            _send(handler, 404, {})

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        wanted = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        code = self.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        if self.is_down:
            _send(handler, 503, {})
        elif handler.headers.get("authorization", "") != f"Basic {wanted}":
            _send(handler, 401, {"error": "invalid_client"})
        elif code is None or _challenge(verifier) != code.challenge or form.get("redirect_uri") != code.redirect:
            _send(handler, 400, {"error": "invalid_grant"})
        else:
            _send(handler, 200, {"access_token": "unused", "token_type": "Bearer", "id_token": self._token(code)})

    def _authorize(self, asked: dict[str, str]) -> str:
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        self.codes[code] = _Code(
            nonce=asked["nonce"], challenge=asked["code_challenge"], redirect=asked["redirect_uri"]
        )
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def _token(self, code: _Code) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": self.subject, "aud": self.client_id, "iat": now, "exp": now + 300,
            "nonce": code.nonce, **self.spoil,
        }  # fmt: skip
        return jwt.encode({"alg": "ES256", "kid": "one"}, claims, self.signing_key or self.key)

    def _description(self) -> dict[str, Any]:
        return {
            "issuer": self.spoil.get("issuer", self.issuer),
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }


def _query(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _send(handler: BaseHTTPRequestHandler, status: int, body: dict[str, Any]) -> None:
    text = json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text)
