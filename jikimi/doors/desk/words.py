"""What closed sets are called on the pages, and what refusals say there; translated where they are shown."""

from __future__ import annotations

from jikimi.doors.desk.language import N_

WORDS: dict[str, str] = {}
"""By the value of the enumeration."""

REFUSALS = {
    "signed_out": N_("You are signed out. Sign in again, then repeat what you did."),
    "permission_missing": N_("Your roles do not allow this. Ask an administrator if they should."),
    "path_unknown": N_("There is no page at this address."),
    "method_not_allowed": N_("This address does not take what was sent."),
    "form_invalid": N_("The form could not be read. Go back, reload the page and send it again."),
    "body_too_large": N_("The form is too long. Go back and shorten what you wrote."),
    "cross_site": N_(
        "This request did not come from our own pages, so nothing was changed. Open the desk and try again."
    ),
    "fault": N_("Something of ours went wrong, and nothing was stored. The reason is in the service's log."),
    "store_unavailable": N_("The database cannot be reached at the moment. Nothing was stored; try again shortly."),
}
"""By the code of the error, where the flow's own English message is not the whole of it."""
