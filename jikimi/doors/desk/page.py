"""Making a page: its template, in the reader's language and time zone, under a nonce of its own.

Templates escape everything always, and a name that is not there is an error, not an empty string.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from jikimi.doors.desk.assets import address
from jikimi.doors.desk.language import LANGUAGES, Clockwork, catalogue, language_of
from jikimi.doors.desk.words import word_for
from jikimi.doors.shared.csp import new_nonce, protect
from jikimi.model.people import Permission, Person

_TEMPLATES = Path(__file__).parents[1] / "templates"


def page(request: Request, name: str, /, *, status: int = 200, **values: Any) -> Response:
    """Render a template for whoever asks."""
    person: Person | None = request.state.person
    language = language_of(request, person)
    nonce = new_nonce()
    text = (
        _templates(language)
        .get_template(name)
        .render(
            nonce=nonce,
            person=person,
            language=language,
            clock=Clockwork(language, person),
            now=request.state.now,
            path=request.url.path,
            permissions=person.permissions if person else frozenset(),
            **values,
        )
    )
    response = HTMLResponse(text, status_code=status, headers={"Content-Language": language, "Vary": "Accept-Language"})
    protect(response.headers, nonce)
    return response


def go(path: str) -> Response:
    """Send the browser on after something was done, so that a reload does not do it again."""
    return RedirectResponse(path, status_code=303)


def translated(request: Request, text: str) -> str:
    """A marked text in the reader's language."""
    return catalogue(language_of(request, request.state.person)).gettext(text)


@cache
def _templates(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    translations = catalogue(language)
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {
        "static": address,
        "languages": LANGUAGES,
        "Permission": Permission,
        "word": lambda value: translations.gettext(word_for(value)),
    }
    return environment
