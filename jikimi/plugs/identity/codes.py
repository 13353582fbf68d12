"""Codes of an authenticator app: TOTP (RFC 6238), and the picture by which an app takes up its secret."""

from __future__ import annotations

import io
from datetime import datetime

import pyotp
import segno
from pyotp.exceptions import OTPVerificationError

_NAME = "jikimi"
_DIGITS = 6
_DRIFT = 1
"""A code of the half minute before or after is taken too: clocks differ, and typing takes time."""


class Totp:
    """Six digits every half minute."""

    def new_secret(self) -> str:
        """A secret of 160 bits, in base 32."""
        return pyotp.random_base32()

    def address(self, secret: str, name: str) -> str:
        """The `otpauth://` address of a secret."""
        return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=_NAME)

    def drawing(self, text: str) -> str:
        """A QR code as SVG, without style: a page decides its size."""
        out = io.BytesIO()
        segno.make(text, error="m", micro=False).save(
            out, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=4, dark="#000", light="#fff"
        )
        return out.getvalue().decode()

    def step(self, secret: str, untrusted_code: str, at: datetime) -> int | None:
        """The half minute that a code belongs to, counted since 1970; none if it is not right."""
        code = "".join(untrusted_code[:32].split())
        if not secret or len(code) != _DIGITS or not (code.isascii() and code.isdigit()):
            return None
        try:
            return pyotp.TOTP(secret).verify_and_get_timecode(code, for_time=at, valid_window=_DRIFT)
        except OTPVerificationError:
            return None
