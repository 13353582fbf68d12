"""Style sheets and scripts: read once, packed once, named with a digest so that browsers may keep them for good."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from jikimi.model.errors import Refused
from jikimi.model.people import Person
from jikimi.ports import Kit

_FOLDER = Path(__file__).parents[1] / "static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file that is served as it is."""

    media_type: str
    plain: bytes
    packed: bytes
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """Every file that is served, by its path."""
    files = [file for file in _FOLDER.rglob("*") if file.suffix in _TYPES]
    return {file.relative_to(_FOLDER).as_posix(): _asset(file) for file in files}


def address(name: str) -> str:
    """Where a file is served, with its digest."""
    return f"/desk/static/{name}?v={assets()[name].digest}"


def serve(kit: Kit, request: Request, person: Person | None) -> Response:
    """Answer with one file."""
    asset = assets().get(request.path_params["name"])
    if asset is None:
        raise Refused("path_unknown", "There is no such file.")
    headers = {"Vary": "Accept-Encoding"}
    if request.query_params.get("v") == asset.digest:
        headers["Cache-Control"] = _FOR_GOOD
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, media_type=asset.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(asset.plain, media_type=asset.media_type, headers=headers)


def _asset(file: Path) -> Asset:
    plain = file.read_bytes()
    return Asset(
        media_type=_TYPES[file.suffix],
        plain=plain,
        packed=gzip.compress(plain, mtime=0),
        digest=hashlib.sha256(plain).hexdigest()[:12],
    )
