"""A document in, the bytes of a JSON Feed 1.1 out (jsonfeed.org)."""

import json
from typing import Any

from feedproxy.feeds.entry import entry_view
from feedproxy.feeds.feed import LANGUAGE, Document
from feedproxy.model import Entry
from feedproxy.query.parameters import Query


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
        "authors": [{"name": "Hugging Face Daily Papers", "url": "https://huggingface.co/papers"}],
        "items": [_item(entry, feed.query) for entry in document.entries],
    }
    return json.dumps(_without_none(members), ensure_ascii=False, separators=(",", ":")).encode()


def _item(entry: Entry, query: Query) -> dict[str, object]:
    paper, view = entry.paper, entry_view(entry, query)
    counts = {"upvotes": paper.upvotes, "comments": paper.comments}
    full = {"content_html": view.html, "summary": view.summary or None}
    item = {
        "id": view.id,
        "url": view.link,
        "external_url": paper.links.arxiv,
        "title": view.title,
        **(full if view.html else {"content_text": ""}),
        "image": view.image,
        "date_published": entry.entered_at.isoformat(),
        "date_modified": entry.updated_at.isoformat(),
        "authors": [{"name": name} for name in view.authors] or None,
        "tags": list(paper.ai_keywords) or None,
        "_feedproxy": _without_none(counts) if query.counts else None,
    }
    return _without_none(item)


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
