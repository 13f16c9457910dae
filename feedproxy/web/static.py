"""The routes of the files that pages and feeds link to, compressed and with an ETag.

Caches may keep a file for good at an address with its version, and for a day at the plain one, which feeds carry.
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
    """Answer with a file; caches must not keep it under another version, which belongs to another server."""
    if name not in _TYPES:
        abort(404)
    version = request.args.get("v")
    cache_control = _DAY if version is None else _FOREVER if version == _version(name) else "no-cache"
    return responses.to_response(_variants(name, cache_control))


@bp.get("/favicon.ico")
def favicon() -> Response:
    """Answer with the icon; browsers ask for it here whatever the page says."""
    return responses.to_response(_variants("icon.png", _DAY))


def content(name: str) -> bytes:
    """Return the bytes of a file."""
    return _variants(name, _DAY).plain.body


@bp.app_template_global()
def file(name: str) -> str:
    """Return the address of a file for pages; it changes with the file's bytes."""
    return f"static/{name}?v={_version(name)}"


def _version(name: str) -> str:
    return _variants(name, _FOREVER).plain.etag[1:9]


@cache
def _variants(name: str, cache_control: str) -> Variants:
    headers = (("Cache-Control", cache_control), ("X-Content-Type-Options", "nosniff"))
    variants = build_variants("other", (_FOLDER / name).read_bytes(), _TYPES[name], None, headers)
    is_compressed = name.endswith(".png")
    return replace(variants, gzip=variants.plain) if is_compressed else variants
