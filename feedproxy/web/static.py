"""The routes of the files that pages and feeds name: as they lie in the package in, compressed, with a validator out.

Under an address that carries its `version` a file is kept for good; under the plain one, which feeds carry, for a day.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, abort, request

from feedproxy.web import responses
from feedproxy.web.cache import Variants, build_variants

bp = Blueprint("static", __name__)
_FOLDER = Path(__file__).parents[1] / "static"
_TYPES = {
    "icon.png": "image/png",
    "icon.svg": "image/svg+xml; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
}
_FOR_GOOD, _DAY = "public, max-age=31536000, immutable", "public, max-age=86400"
_VERSION = 8  # characters of a hash


@bp.get("/static/<name>")
def static(name: str) -> Response:
    """Answer with a file; a version it does not have is another server's, of which nothing is kept."""
    if name not in _TYPES:
        abort(404)
    asked = request.args.get("v")
    kept = _DAY if asked is None else _FOR_GOOD if asked == version(name) else "no-cache"
    return _file(name, kept)


@bp.get("/favicon.ico")
def favicon() -> Response:
    """Answer with the icon, which browsers ask for here whatever a page says."""
    return _file("icon.png", _DAY)


@bp.app_template_global()
def file(name: str) -> str:
    """Return the address of a file as a page names it: one that changes with its bytes."""
    return f"static/{name}?v={version(name)}"


def version(name: str) -> str:
    """Return what tells the bytes of a file from those it had before, the same on every machine."""
    return _made(name, _FOR_GOOD).plain.etag.strip('"')[:_VERSION]


def _file(name: str, kept: str) -> Response:
    return responses.to_response(_made(name, kept))


@cache
def _made(name: str, kept: str) -> Variants:
    headers = (("Cache-Control", kept), ("X-Content-Type-Options", "nosniff"))
    made = build_variants("other", (_FOLDER / name).read_bytes(), _TYPES[name], None, headers)
    is_packed = _TYPES[name] == "image/png"
    return replace(made, gzip=made.plain) if is_packed else made
