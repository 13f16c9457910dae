"""Made-up papers in every form a listing comes in; nothing here was written by anyone else."""

import html
import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from feedproxy.model import Digest, Entry, Organization, Paper
from feedproxy.periods import Period

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
        "thumbnail": fields.pop("thumbnail", f"https://cdn-thumbnails.huggingface.co/made-up/{number}.png"),
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


def paper(number: int = 1, **fields: Any) -> Paper:
    """Return paper `number` as a listing gives it: listed on DAY, with two authors and a thumbnail."""
    subject = _SUBJECTS[number % len(_SUBJECTS)]
    names = fields.get("authors", (f"Ada Example {number}", "Ben Placeholder"))
    values: dict[str, Any] = {
        "id": paper_id(number),
        "title": f"Paper {number} on {subject}",
        "summary": f"We made up paper {number}, which is about {subject.lower()} and nothing else.",
        "submitted_at": datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC),
        "authors": names,
        "author_count": len(names),
        "upvotes": 1,
        "thumbnail": f"https://cdn-thumbnails.huggingface.co/made-up/{number}.png",
    }
    return Paper(**values | fields)


def difficult_papers() -> tuple[Paper, ...]:
    """Return a plain paper and one for everything a feed has to cope with."""
    many = tuple(f"Author {number}" for number in range(1, 665))
    return (
        paper(
            1,
            summary="The first paragraph.\n\nThe second one, with more.",
            comments=2,
            organization=Organization("example-lab", "Example Lab"),
            github_repo="https://code.example.org/made/up",
            project_page="https://project.example.org/",
            ai_keywords=("agents", "tool use"),
        ),
        paper(
            2,
            title="Let's <think>: \"R\" & 'D', R\\&D ]]> &amp; p < 0.05 → αβγ 😀",
            summary="<think>If p < 0.05</think> & q > 0.1 then ]]> or <b>not</b>.\n\n<script>'\"'</script> \\& &lt;",
            authors=("<b>O'Neil", "Smith & Sons", 'Jo "J" ]]> Doe', "Müller, Jörg"),
            author_count=4,
            organization=Organization("r&d", "<R&D> ]]>"),
            thumbnail="https://cdn-thumbnails.huggingface.co/made-up/2.png?a='1'&b=%3C2%3E",
            github_repo="https://code.example.org/?a=1&b='2'",
            project_page="https://project.example.org/?x=]]&y=%22",
            ai_keywords=("R&D", "<think>", '"quoted"', "]]>"),
        ),
        paper(3, authors=many[:25]),
        paper(4, authors=many, upvotes=0),
        paper(5, thumbnail=None, summary="", upvotes=0, ai_keywords=("agents",)),
        paper(
            6,
            id="paper-6-from-a-text",
            title="Paper 6: From a Text",
            authors=(),
            author_count=7,
            upvotes=None,
            comments=3,
            thumbnail=None,
        ),
        paper(
            7,
            id="paper-7-αβγ-from-a-text",
            title="Paper 7: αβγ & From a Text",
            authors=(),
            upvotes=None,
            thumbnail=None,
            organization=Organization("example-lab", "Example Lab"),
        ),
        paper(8, authors=(), author_count=1, upvotes=None),
        paper(
            9,
            ai_summary="We made up <this> summary, p < 0.05. It is 2times as short.",
            comments=1,
            github_stars=240,
            media=("https://cdn-uploads.huggingface.co/made-up/9.mp4", "https://cdn-uploads.huggingface.co/made-up/9"),
            upvotes=3,
        ),
    )


def entered(papers: Iterable[Paper], *, noon: datetime = datetime(2026, 3, 10, 12, tzinfo=UTC)) -> tuple[Entry, ...]:
    """Return `papers` as entries, newest first, a second apart; every third was revised an hour later.

    The first entered without upvotes, the next ones, if theirs are known, with 1 and 2, and so on.
    """
    return tuple(
        Entry(
            found,
            at := noon - timedelta(seconds=rank),
            at + timedelta(hours=1) * (rank % 3 == 2),
            None if found.upvotes is None else rank % 3 or None,
        )
        for rank, found in enumerate(papers)
    )


def digests() -> tuple[Digest, ...]:
    """Return two weekly digests, newest first: one with difficult papers and late ones, one with a single paper."""
    newest = Period.of("week", DAY)
    previous = newest.previous
    late = paper(
        11, upvotes=9, submitted_at=datetime(2026, 3, 3, tzinfo=UTC), ai_summary="We made up <this> summary. Twice."
    )
    return (
        Digest(newest, newest.closes_at + timedelta(minutes=3), difficult_papers(), (late,)),
        Digest(
            previous,
            previous.closes_at,
            (paper(12, upvotes=8, thumbnail=None, submitted_at=late.submitted_at),),
        ),
    )
