"""Errors in, their one line out: as the status, the text and the headers a client gets."""

import logging

from flask import Response, request
from werkzeug.exceptions import HTTPException

from feedproxy.errors import FeedproxyError
from feedproxy.web import responses

log = logging.getLogger(__name__)

_LINES = {
    404: "there is no such page here; the feeds are /feed.rss, /feed.atom and /feed.json, the page is /",
    405: "only GET and HEAD are answered here",
    414: "the address is too long",
}


def handle_error(error: Exception) -> Response:
    """Answer an error with its one line."""
    if isinstance(error, FeedproxyError):
        if error.public != str(error):
            log.error("%s", error)
        response = responses.text(error.public, error.status)
        response.headers.extend(retry_after(error))
        return response
    if isinstance(error, HTTPException):
        response = responses.text(_LINES.get(error.code or 500, error.name), error.code or 500)
        response.headers.extend((name, value) for name, value in error.get_headers() if name == "Allow")
        return response
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return responses.text("something is wrong with this server; its log says what", 500)


def retry_after(error: FeedproxyError | None) -> dict[str, str]:
    """Return when to ask again, where that may help (RFC 9110, section 10.2.3)."""
    return {"Retry-After": str(error.retry_after or 60)} if error and error.status in (429, 503) else {}
