"""Text, pages and JSON in, responses out that no cache keeps and no browser takes for anything else."""

import json

from flask import Response, render_template

_PAGE_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


def text(line: str, status: int = 200) -> Response:
    """Return one line of plain text."""
    return made(f"{line}\n", "text/plain; charset=utf-8", status)


def as_json(value: object) -> Response:
    """Return `value` as JSON for people to read too."""
    return made(json.dumps(value, indent=1) + "\n", "application/json")


def html(template: str, code: int = 200, **values: object) -> Response:
    """Return a page that loads nothing from elsewhere and tells nobody where it was."""
    response = made(render_template(template, **values), "text/html; charset=utf-8", code)
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def made(body: str | bytes, content_type: str, status: int = 200) -> Response:
    """Return a response of exactly this type, which is not to be kept."""
    response = Response(body, status=status, content_type=content_type)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
