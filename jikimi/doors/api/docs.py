"""The description of the API as one plain page: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse

_STYLE = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{font-size:.95em}h2{margin-top:2rem;border-top:1px solid #8888;padding-top:1rem}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def install(app: FastAPI) -> None:
    """Serve the page at `/docs`."""

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse("\n".join(_page(app.openapi())), headers={"Content-Security-Policy": _POLICY})


def _page(schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"<!doctype html><html lang=en><meta charset=utf-8><title>jikimi API</title><style>{_STYLE}</style>"
    yield "<meta name=viewport content='width=device-width'><h1>jikimi API</h1>"
    yield f"<p>{escape(schema['info']['description'])}</p>"
    yield "<p>The same for programs: <a href=/openapi.json>openapi.json</a>.</p>"
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            yield from _operation(f"{method.upper()} {path}", operation)


def _operation(title: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{escape(title)}</code></h2><p>{escape(operation.get('summary', ''))}."
    yield f" {escape(operation.get('description', ''))}</p><ul>"
    for parameter in operation.get("parameters", ()):
        about = escape(parameter.get("description", ""))
        yield f"<li><code>{escape(parameter['name'])}</code> ({escape(parameter['in'])}) {about}</li>"
    for kind in operation.get("requestBody", {}).get("content", {}):
        yield f"<li>body: <code>{escape(kind)}</code></li>"
    yield f"<li>answers: {', '.join(map(escape, operation['responses']))}</li></ul>"
