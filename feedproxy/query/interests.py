"""The ready-made filters, by what people are interested in. A stand-in with a few of them."""

from functools import cache

from feedproxy.query.grammar import Filter, Or, parse_filter
from feedproxy.query.named_feeds import NamedFeed
from feedproxy.query.parameters import Query

_INTERESTS = (
    ("rl", "Reinforcement learning", 'rl* OR "reinforcement learning" OR grpo OR ppo'),
    ("robotics", "Robotics", "robotics OR robot* OR vla OR embodied OR humanoid"),
    ("agents", "Agents", "agents OR agentic"),
)


@cache
def interests() -> tuple[NamedFeed, ...]:
    """Return the ready-made filters, the most useful first."""
    return tuple(NamedFeed(name, title, Query(q=parse_filter(text))) for name, title, text in _INTERESTS)


def interest_of(tree: Filter) -> NamedFeed | None:
    """Return the interest that has `tree` among the alternatives of its filter, if any."""
    return next((row for row in interests() if isinstance(row.query.q, Or) and tree in row.query.q.parts), None)
