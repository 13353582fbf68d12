"""Passkeys by WebAuthn: discoverable, so that nobody types a name, and always with user verification."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import parse_authentication_credential_json, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from jikimi.model.errors import Refused
from jikimi.model.ids import PersonId
from jikimi.model.signin import Passkey
from jikimi.ports.signin import Claim, NewPasskey

_NAME = "jikimi"
_MILLISECONDS = 120_000
_MAX_ANSWER = 64 * 1024


class WebAuthn:
    """Passkeys of the pages under one origin; the relying party is the origin's host."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._host = urlsplit(origin).hostname or "localhost"

    def registration(self, person_id: PersonId, name: str, challenge: bytes, known: Sequence[Passkey]) -> str:
        """The options of `navigator.credentials.create`, as JSON."""
        return options_to_json(
            generate_registration_options(
                rp_id=self._host,
                rp_name=_NAME,
                user_id=person_id.encode(),
                user_name=name,
                challenge=challenge,
                timeout=_MILLISECONDS,
                authenticator_selection=AuthenticatorSelectionCriteria(
                    resident_key=ResidentKeyRequirement.REQUIRED,
                    user_verification=UserVerificationRequirement.REQUIRED,
                ),
                exclude_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in known],
            )
        )

    def question(self, challenge: bytes, known: Sequence[Passkey]) -> str:
        """The options of `navigator.credentials.get`, as JSON; without known ones the browser offers what it has."""
        return options_to_json(
            generate_authentication_options(
                rp_id=self._host,
                challenge=challenge,
                timeout=_MILLISECONDS,
                allow_credentials=[PublicKeyCredentialDescriptor(id=one.credential_id) for one in known],
                user_verification=UserVerificationRequirement.REQUIRED,
            )
        )

    def claim(self, untrusted_answer: str) -> Claim:
        """Read from an answer which question and which passkey it is about; nothing is checked yet."""
        try:
            if len(untrusted_answer) > _MAX_ANSWER:
                raise ValueError("too long")
            fields = json.loads(untrusted_answer)
            if "attestationObject" in fields["response"]:
                return Claim(credential_id=b"", challenge=_challenge(fields), person_id="")
            answer = parse_authentication_credential_json(fields)
            return Claim(
                credential_id=answer.raw_id,
                challenge=parse_client_data_json(answer.response.client_data_json).challenge,
                person_id=(answer.response.user_handle or b"").decode(),
            )
        except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError) as error:
            raise _invalid(error) from error

    def registered(self, untrusted_answer: str, challenge: bytes) -> NewPasskey:
        """Check the answer of `create`."""
        try:
            made = verify_registration_response(
                credential=untrusted_answer,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise _invalid(error) from error
        return NewPasskey(credential_id=made.credential_id, public_key=made.credential_public_key, uses=made.sign_count)

    def proven(self, untrusted_answer: str, challenge: bytes, passkey: Passkey) -> int:
        """Check the answer of `get`; the counter as it stands now. One that did not grow means a copied key."""
        try:
            return verify_authentication_response(
                credential=untrusted_answer,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origin,
                credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.uses,
                require_user_verification=True,
            ).new_sign_count
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise _invalid(error) from error


def _challenge(fields: dict[str, dict[str, str]]) -> bytes:
    from webauthn.helpers import base64url_to_bytes

    return parse_client_data_json(base64url_to_bytes(fields["response"]["clientDataJSON"])).challenge


def _invalid(error: Exception) -> Refused:
    return Refused("proof_invalid", "The passkey's answer does not hold; try again on this page.", detail=str(error))
