"""A document in, the bytes of a JSON Feed 1.1 out (jsonfeed.org)."""

import json
from collections.abc import Mapping
from typing import Any

from feedproxy import HUB
from feedproxy.feeds.entry import EntryView
from feedproxy.feeds.feed import LANGUAGE, SOURCE, Document


def json_feed(document: Document) -> bytes:
    """Return JSON Feed 1.1."""
    feed = document.feed
    members = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.address(),
        "feed_url": feed.address("json"),
        "description": feed.description,
        "next_url": document.neighbours("json").get("next"),
        "icon": feed.icon,
        "favicon": feed.icon,
        "language": LANGUAGE,
        "authors": [{"name": SOURCE, "url": HUB}],
        "items": [_item(view) for view in document.views],
    }
    return json.dumps(_without_none(members), ensure_ascii=False, separators=(",", ":")).encode()


def _item(view: EntryView) -> dict[str, object]:
    full = {"content_html": view.html, "summary": view.summary or None}
    item = {
        "id": view.id,
        "url": view.link,
        "external_url": view.external_url,
        "title": view.title,
        **(full if view.html else {"content_text": ""}),
        "image": view.image,
        "date_published": view.published.isoformat(),
        "date_modified": view.updated.isoformat(),
        "authors": [{"name": name} for name in view.authors] or None,
        "tags": list(view.categories) or None,
        "_feedproxy": _without_none(view.extension) or None,
    }
    return _without_none(item)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
