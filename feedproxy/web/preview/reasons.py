"""An entry and the past of its paper in; why it entered the feed, in words, out. Pure."""

from feedproxy.model import Entry, PaperHistory
from feedproxy.query.parameters import MEASURES, Query
from feedproxy.text import plural


def reason(entry: Entry, past: PaperHistory, query: Query) -> str:
    """Return what happened to the paper on its entry's date: such as `reached 5 upvotes`."""
    met = " and ".join(dict.fromkeys(_met(entry, past, query)))
    if past.listed_at == entry.entered_at:
        return f"listed with {met}" if met else "listed"
    return f"reached {met}" if met else "its text came to match"


def _met(entry: Entry, past: PaperHistory, query: Query) -> list[str]:
    """Return the counts that met a condition for the first time on the entry's date."""
    return [
        plural(step.value, _noun(entry, measure))
        for name, measure in MEASURES.items()
        if (wanted := getattr(query, name))
        for step in [step for step in past.steps if step.measure == measure and step.value >= wanted][:1]
        if step.reached_at == entry.entered_at
    ]


def _noun(entry: Entry, measure: str) -> str:
    """Return what was counted: comments stand in for upvotes that the listing does not tell."""
    return "comment" if measure == "comments" or entry.paper.upvotes is None else "upvote"
