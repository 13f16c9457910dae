"""Made-up papers in every form a listing comes in; nothing here was written by anyone else."""

import html
import json
from collections.abc import Iterable
from datetime import date
from typing import Any

DAY = date(2026, 3, 10)
_SUBJECTS = ("Agents", "Retrieval", "Diffusion", "Tool Use", "Policy Gradients", "Long Context", "Surveys", "GPUs")


def paper_id(number: int) -> str:
    """Return an identifier that arXiv never gave: its month is 13."""
    return f"9913.{number:05d}"


def entry(number: int = 1, *, day: date | None = DAY, **fields: Any) -> dict[str, Any]:
    """Return one entry as the API sends it: paper `number`, listed at the midnight that begins `day`.

    `fields` go where the Hub has them; `numComments`, `thumbnail` and `publishedAt` outside the paper.
    A field given as None is left out.
    """
    subject = _SUBJECTS[number % len(_SUBJECTS)]
    outside: dict[str, Any] = {
        "title": f"Paper {number} on {subject}",
        "numComments": fields.pop("numComments", 0),
        "thumbnail": fields.pop("thumbnail", f"https://cdn.example.org/{number}.png"),
        "publishedAt": fields.pop("publishedAt", "2026-03-08T20:00:00.000Z"),
    }
    paper: dict[str, Any] = {
        "id": paper_id(number),
        "title": f"Paper {number} on {subject}",
        "summary": f"We made up paper {number}, which is about {subject.lower()} and nothing else.",
        "authors": [{"name": f"Ada Example {number}", "hidden": False}, {"name": "Ben Placeholder", "hidden": False}],
        "upvotes": 1,
        "publishedAt": "2026-03-09T00:00:00.000Z",
        "submittedOnDailyAt": day and f"{day}T00:00:00.000Z",
    }
    paper |= fields
    present = {name: value for name, value in paper.items() if value is not None}
    return {"paper": present} | {name: value for name, value in outside.items() if value is not None}


def entries(count: int, *, day: date = DAY, first: int = 1, **fields: Any) -> list[dict[str, Any]]:
    """Return `count` entries of `day`, numbered from `first`."""
    return [entry(number, day=day, **fields) for number in range(first, first + count)]


def api(found: Iterable[dict[str, Any]]) -> bytes:
    """Return what the API answers."""
    return json.dumps(list(found)).encode()


def page(found: Iterable[dict[str, Any]], day: date = DAY, **data: Any) -> bytes:
    """Return the page of a day, with the data that its script works from."""
    props = {"date": f"{day}T00:00:00.000Z", "dailyPapers": list(found)} | data
    quoted = html.escape(json.dumps(props))
    return (
        f'<!doctype html><html><body><div data-target="DailyPapers" data-props="{quoted}"></div></body></html>'.encode()
    )


def capture(*papers: tuple[str, str, str, str], header: str = "Daily Papers\n\nMar 10\n") -> bytes:
    """Return the page as copied text; each paper as title, abstract, byline, and date with or without a number."""
    blocks = [f"{title}\n\n{abstract}\n\n{byline}\n·\n{dated}\n" for title, abstract, byline, dated in papers]
    return "\n".join([header, *blocks]).encode()
