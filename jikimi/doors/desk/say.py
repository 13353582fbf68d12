"""What a page says about a refusal, in the reader's language."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response

from jikimi.doors.desk.language import N_
from jikimi.doors.desk.page import translated
from jikimi.doors.desk.words import REFUSALS
from jikimi.doors.shared.errors import status_of
from jikimi.model.errors import JikimiError

_OURS = {
    "sign_in_failed": N_("This does not fit together. Check name, password and code, or use a passkey."),
    "proof_invalid": N_("The answer does not hold. Try again on this page."),
    "proof_stale": N_("Prove again that it is you; then repeat this."),
    "question_stale": N_("This page has waited too long or was answered already. Begin again."),
    "too_many_tries": N_("There were too many failed tries. Wait, at most a quarter of an hour, then try again."),
    "link_unknown": N_("This link was used, has expired or is not complete. Ask for a new one."),
    "not_invited": N_("The provider knows you, but nobody has invited you here. Ask an administrator."),
    "provider_missing": N_("No identity provider is set up here. Use another way to sign in."),
    "person_name_invalid": N_("A name is 2 to 64 characters that can be printed."),
    "person_exists": N_("There is somebody of this name already. Choose another name."),
    "subject_exists": N_("Somebody else signs in with this account of the provider. Take another."),
    "passkey_exists": N_("This passkey is registered already. Use another."),
    "passkey_unknown": N_("There is no such passkey any more."),
    "password_length": N_("A password has at least 12 characters. Take a few words of your own."),
    "password_common": N_("This password is among the first to be guessed. Take a few words without connection."),
    "code_wrong": N_("The code is not right. Type the six digits that the app shows now."),
    "last_credential": N_("You could not sign in without it. First add another passkey or a password."),
    "last_administrator": N_("Nobody could let people in after this. First make somebody else administrator."),
    "roles_missing": N_("Choose at least one role."),
    "invitation_unknown": N_("This link was used, has expired or was taken back."),
    "session_unknown": N_("This session has ended already."),
    "person_disabled": N_("This person is disabled. Enable them first."),
    "time_zone_fixed": N_(
        "The limits of your day go by your time zone. Change it before your first picture, a day after the last."
    ),
    "time_zone_invalid": N_("Name a time zone as in Asia/Seoul or UTC."),
}
"""By the code of the error, for the pages about people and signing in."""


def said(request: Request, error: JikimiError) -> str:
    """The sentence for an error; where it names a number or a name, in English as the flow has written it."""
    known = _OURS.get(error.code) or REFUSALS.get(error.code)
    return translated(request, known) if known else error.message


def options(text: str) -> Response:
    """Answer a script with the options for a passkey."""
    return Response(text, media_type="application/json")


def refused(request: Request, error: JikimiError) -> Response:
    """Answer a script with an error."""
    body = json.dumps({"code": error.code, "message": said(request, error)})
    return Response(body, status_code=status_of(error), media_type="application/json")
