"""The routes of the files that pages and feeds name: compressed, each with a validator.

At an address with its version a file may be kept for good; at the plain one, which feeds carry, for a day.
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
_FOREVER, _DAY = "public, max-age=31536000, immutable", "public, max-age=86400"


@bp.get("/static/<name>")
def static(name: str) -> Response:
    """Answer with a file; another version of it is that of another server, and not kept."""
    if name not in _TYPES:
        abort(404)
    version = request.args.get("v")
    cache_control = _DAY if version is None else _FOREVER if version == _version(name) else "no-cache"
    return responses.to_response(_variants(name, cache_control))


@bp.get("/favicon.ico")
def favicon() -> Response:
    """Answer with the icon, which browsers ask for here whatever a page says."""
    return responses.to_response(_variants("icon.png", _DAY))


@bp.app_template_global()
def file(name: str) -> str:
    """Return the address of a file as pages name it, which changes with its bytes."""
    return f"static/{name}?v={_version(name)}"


def _version(name: str) -> str:
    return _variants(name, _FOREVER).plain.etag[1:9]


@cache
def _variants(name: str, cache_control: str) -> Variants:
    headers = (("Cache-Control", cache_control), ("X-Content-Type-Options", "nosniff"))
    variants = build_variants("other", (_FOLDER / name).read_bytes(), _TYPES[name], None, headers)
    is_compressed = name.endswith(".png")
    return replace(variants, gzip=variants.plain) if is_compressed else variants
