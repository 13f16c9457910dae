"""Parameters of a URL in, a frozen `Query` out, and back again in one canonical spelling.

The meaning of a URL never changes, so we only ever add parameters.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from feedproxy.errors import QueryError
from feedproxy.periods import KINDS
from feedproxy.query.grammar import Filter, is_filter, parse_filter
from feedproxy.query.repairs import meant_filter
from feedproxy.text import did_you_mean, plural, visible, whole_number


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, its values and meaning in words; `read` turns its text into a value, or raises ValueError."""

    default: object
    values: str
    read: Callable[[str], object]
    meaning: str


def _parameter(default: object, values: str, read: Callable[[str], object], meaning: str, unset: object = None) -> Any:
    parameter = Parameter(default, values, read, meaning)
    return field(default=default if unset is None else unset, metadata={"parameter": parameter})


def _number(default: int, low: int, high: int, meaning: str, unset: int | None = None) -> Any:
    values = f"a whole number from {low} to {high}"

    def read(text: str) -> int:
        if (number := whole_number(text, low, high)) is None:
            raise ValueError(f"is not {values}")
        return number

    return _parameter(default, values, read, meaning, unset)


def _choice(default: str, choices: tuple[str, ...], meaning: str) -> Any:
    values = f"one of {', '.join(choices)}"

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"is not {values}{did_you_mean(_CHOICES.get(text.casefold(), text), choices)}")
        return text

    return _parameter(default, values, read, meaning)


_CHOICES = {"daily": "day", "weekly": "week", "monthly": "month"}  # that people may write for others
# How many days back a feed reaches unless `days` says so: that of every paper, and that of each kind of digest.
DAYS = {"": 90, "day": 90, "week": 366, "month": 3660}


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a feed; equal queries make equal feeds.

    `digest` is empty for a feed of papers. `days` of 0 becomes the default for the kind of digest.
    """

    q: Filter | None = _parameter(  # noqa: RUF009 (makes a field)
        None, "the filter language", parse_filter, "the words to look for"
    )
    min_upvotes: int = _number(0, 0, 1_000_000, "reached at least N upvotes")
    min_comments: int = _number(0, 0, 1_000_000, "reached at least N comments")
    or_upvotes: int = _number(0, 0, 1_000_000, "or reached N upvotes, regardless of the other conditions")
    digest: str = _choice("", KINDS, "one entry for each closed day, week or month, with its best papers")
    top: int = _number(10, 1, 50, "at most N papers in a digest")
    days: int = _number(
        DAYS[""], 1, 3660, "days back from the archive's newest date; weeks: 366, months: 3660", unset=0
    )
    limit: int = _number(50, 1, 200, "at most N entries")
    page: int = _number(1, 1, 10_000, "2 for the entries after the first `limit`, and so on")
    link: str = _choice("hf", ("hf", "arxiv", "pdf", "html", "alphaxiv"), "where a title leads; the id stays the same")
    content: str = _choice("full", ("full", "brief", "none"), "`brief`: a sentence or two and links; `none`: no text")
    counts: int = _number(0, 0, 1, "1 adds votes, comments and GitHub stars; the feed then changes with them")

    def __post_init__(self) -> None:
        if not self.days:
            object.__setattr__(self, "days", DAYS[self.digest])

    def __str__(self) -> str:
        """Return the canonical query string: fixed order, no defaults, percent-encoded UTF-8."""
        values = {name: getattr(self, name) for name in PARAMETERS}
        return "&".join(
            f"{name}={quote(str(value), safe='():*,')}"
            for name, value in values.items()
            if value != (DAYS[self.digest] if name == "days" else PARAMETERS[name].default)
        )

    @property
    def selection(self) -> str:
        """What a digest holds, such as `10 best of each week`; empty for a feed of papers."""
        return f"{f'{self.top} ' if self.top > 1 else ''}best of each {self.digest}" if self.digest else ""

    @property
    def describe(self) -> str:
        """The conditions in words, such as `agents, at least 2 upvotes`; empty without conditions."""
        conditions = [
            str(self.q) if self.q else "",
            f"at least {plural(self.min_upvotes, 'upvote')}" if self.min_upvotes else "",
            f"at least {plural(self.min_comments, 'comment')}" if self.min_comments else "",
            f"or at least {plural(self.or_upvotes, 'upvote')}" if self.or_upvotes else "",
        ]
        return ", ".join(filter(None, conditions))

    @property
    def in_words(self) -> str:
        """What the feed holds: the selection of a digest and the conditions, or `every paper`."""
        return ": ".join(filter(None, (self.selection, self.describe))) or "every paper"


PARAMETERS: dict[str, Parameter] = {row.name: row.metadata["parameter"] for row in fields(Query)}
# The parameters that set a threshold, and the count of a paper that must reach it.
MEASURES = {"min_upvotes": "upvotes", "min_comments": "comments", "or_upvotes": "upvotes"}
# What Google, Microsoft, Meta, X, TikTok, LinkedIn, Yandex, HubSpot, Marketo and Mailchimp add to addresses, and what
# pages add to their links. A name that could become a parameter of ours stays an error.
_IGNORED = re.compile(
    r"utm_.*|_|ref|ref_src|source|fbclid|gclid|dclid|gbraid|wbraid|gad_source|srsltid|_ga|_gl|msclkid|mc_cid|mc_eid"
    r"|igsh|igshid|yclid|twclid|ttclid|li_fat_id|mkt_tok|_hsenc|_hsmi",
    re.DOTALL,
)
_ENCODED = re.compile("(?:%[0-9A-Fa-f]{2})+")
# A name such as `c++` in the filter of an address, where + means a space; and what is left of it after decoding.
_PLUS_PLUS = re.compile(r"""(?:^|&)q=(?:[^&]*(?:[+ (:"-]|%2[028]|%3[Aa]))?([A-Za-z])\+\+(?=$|[&+ )"]|%2[029])""")
_NO_PLUS = re.compile(r"(?<!\w)([A-Za-z])  (?=[\s)\"]|$)")
_WITH_PLUS = r"\1++"
_NAMES = {"upvotes": "min_upvotes", "comments": "min_comments"}  # that people may give a parameter
_LABEL = re.compile(r"q\s*:\s*(?=\S)", re.IGNORECASE)  # before a filter
_NUMBERS = re.compile(  # parameters that stand in the filter
    rf"\s+(?:(?:{'|'.join(name for name, row in PARAMETERS.items() if isinstance(row.default, int))})=\d+"
    rf"|digest=(?:{'|'.join(KINDS)}))(?=\s|$)"
)
_MAX_SUGGESTION = 1000  # characters
_MAX_PAPERS = 2500  # in all digests of a page


def parse_query(query_string: str) -> Query:
    """Read the query part of a URL, without its `?`; raises QueryError with every mistake in it."""
    pairs = [(name, text) for name, text in query_pairs(query_string) if not is_ignored(name)]
    if len(whole := _join_ampersands(pairs)) < len(pairs):
        raise _ampersand_error(whole)
    values, mistakes, suggestions = _read_pairs(pairs, query_string)
    if mistakes:
        parts = zip(suggestions, pairs, strict=True)
        advice = "&".join(suggestion or "=".join(map(encoded, pair)) for suggestion, pair in parts)
        raise QueryError.of(mistakes, advice if any(suggestions) and _is_query(advice) else "")
    return _make_query(values)


def _make_query(values: dict[str, object]) -> Query:
    """Return the query of these parameters, which are read already; raises QueryError."""
    if "top" in values and "digest" not in values:
        raise _top_alone()
    return validate(Query(**values))  # type: ignore[arg-type]


def _read_pairs(
    pairs: list[tuple[str, str]], query_string: str
) -> tuple[dict[str, object], list[QueryError], list[str]]:
    """Return the values of the parameters, all mistakes, and for each pair what may be meant, or an empty text."""
    values: dict[str, object] = {}
    mistakes: list[QueryError] = []
    suggestions = [""] * len(pairs)
    for at, (name, text) in enumerate(pairs):
        try:
            if name in values and name in PARAMETERS:
                raise QueryError(name, "given more than once")
            values[name] = None
            if name == "q" and (plus := _PLUS_PLUS.search(query_string)):
                raise _plus_error(plus[1], text)
            values[name] = _read(name, text)
        except QueryError as error:
            mistakes += error.mistakes
            suggestions[at] = error.suggestion
    return values, mistakes, suggestions


def _is_query(text: str) -> bool:
    """Say whether `text` is a query without mistakes, and short enough to read."""
    try:
        pairs = query_pairs(text) if len(text) <= _MAX_SUGGESTION else []
        values, mistakes, _ = _read_pairs(pairs, text)
        return bool(pairs) and not mistakes and bool(_make_query(values))
    except QueryError:
        return False


def _is_encoded(text: str) -> bool:
    """Say whether part of `text`, which is decoded already, can be decoded once more; `5%accuracy` cannot."""
    pieces = _ENCODED.findall(text)
    return any(not unquote(piece).startswith("\N{REPLACEMENT CHARACTER}") for piece in pieces)


def _read(name: str, text: str) -> object:
    """Return the value of a parameter; the suggestion in a QueryError is one parameter."""
    parameter = PARAMETERS.get(name)
    if _is_encoded(f"{name}={text}"):
        twice = QueryError(name if parameter else quoted(name), "is percent-encoded twice")
        raise QueryError.of([twice], visible(f"{name}={text}", also="&+#") if text else visible(unquote(name)))
    if not parameter:
        raise _unknown(name, text)
    if not text:
        raise QueryError(name, "is empty; leave it out instead")
    try:
        return parameter.read(text)
    except ValueError as error:
        raise QueryError(name, f"{quoted(text)} {error}") from None
    except QueryError as error:
        raise QueryError.of(error.mistakes, _filter_parameter(text)) from None


def _join_ampersands(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return parameters, with what stands behind an & in the filter as part of it: `q=q&a`."""
    whole: list[tuple[str, str]] = []
    for name, text in pairs:
        before = whole[-1] if whole else ("", "")
        if before[0] == "q" and before[1] and name and not text and name not in PARAMETERS:
            whole[-1] = ("q", f"{before[1]}&{name}")
        else:
            whole.append((name, text))
    return whole


def _ampersand_error(whole: list[tuple[str, str]]) -> QueryError:
    """Return the mistake of `q&a` in an address, whose parameters `whole` are without it."""
    text = dict(whole)["q"]
    parts = (
        (_filter_parameter(text) if name == "q" and not is_filter(text) else "") or f"{name}={encoded(text)}"
        for name, text in whole
    )
    advice = "&".join(parts)
    error = QueryError("q", f"in an address & separates parameters: write {visible(text, 40, also='%&+#')}")
    return QueryError.of([error], advice if _is_query(advice) else "")


def _filter_parameter(text: str) -> str:
    """Return the parameters that a filter with mistakes may mean, such as `q=agents&min_upvotes=2`, or nothing."""
    parameters = [match[0].strip() for match in _NUMBERS.finditer(text)]
    rest = _NUMBERS.sub("", text) if parameters else text
    advice = rest if parameters and is_filter(rest) else meant_filter(rest)
    return "&".join((f"q={encoded(advice)}", *parameters)) if advice else ""


def _plus_error(letter: str, text: str) -> QueryError:
    """Return the mistake of `c++` in the filter of an address, of which `text` is left."""
    error = QueryError("q", f"in an address + means a space: write {letter}%2B%2B")
    return QueryError.of([error], f"q={encoded(_NO_PLUS.sub(_WITH_PLUS, text))}")


def _unknown(name: str, text: str) -> QueryError:
    """Return the mistake of a parameter that does not exist; it may be a filter without `q=`, or a whole query."""
    near = did_you_mean(_NAMES.get(name.casefold(), name), PARAMETERS)
    hint = near or f" (parameters: {', '.join(PARAMETERS)})"
    error = QueryError(quoted(name), f"there is no such parameter{hint}")
    if near or text or not name:
        return error
    return QueryError.of([error], visible(name) if "=" in name else as_query(name) if is_filter(name) else "")


def validate(query: Query) -> Query:
    """Return `query`; raises QueryError if one of its parameters makes another one pointless."""
    if query.or_upvotes and not (query.q or query.min_upvotes or query.min_comments):
        raise QueryError(
            "or_upvotes", "widens other conditions and there are none; min_upvotes is the one to use alone"
        )
    if 0 < query.or_upvotes <= query.min_upvotes:
        raise QueryError("or_upvotes", f"{query.or_upvotes} is not above min_upvotes, which then counts for nothing")
    if query.digest:
        _validate_digest(query)
    elif query.top != PARAMETERS["top"].default:
        raise _top_alone()
    return query


def _validate_digest(query: Query) -> None:
    """Raise QueryError if a feed of digests cannot have the parameters of `query`."""
    if query.counts:
        error = QueryError("counts", "a digest shows the upvotes of its closing and never changes; leave counts out")
        raise QueryError.of([error], str(replace(query, counts=0)))
    if query.limit * query.top > _MAX_PAPERS:
        limit = _MAX_PAPERS // query.top
        error = QueryError("limit", f"{query.limit} digests of {query.top} papers are too many; at most {limit}")
        raise QueryError.of([error], str(replace(query, limit=limit)))


def _top_alone() -> QueryError:
    return QueryError("top", f"needs digest={', '.join(KINDS[:-1])} or {KINDS[-1]}")


def is_ignored(name: str) -> bool:
    """Say whether trackers add this parameter to any address."""
    return bool(_IGNORED.fullmatch(name))


def query_pairs(query_string: str) -> list[tuple[str, str]]:
    """Return the decoded parameters of a query string in order; raises QueryError."""
    try:
        return parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=100)
    except UnicodeDecodeError as error:
        pairs = parse_qsl(query_string, keep_blank_values=True, errors="surrogateescape")
        bad = (name for name, text in pairs if name in PARAMETERS and re.search("[\udc80-\udcff]", text))
        raise QueryError(next(bad, "query"), "is not UTF-8") from error
    except ValueError as error:
        raise QueryError("query", "holds more than 100 parameters") from error


def quoted(text: str) -> str:
    """Return `text` in quotation marks on one line, with what is invisible in it percent-encoded."""
    return f"“{re.sub('^ | $', '%20', visible(text, 40))}”"


def as_query(text: str) -> str:
    """Return a filter as a query, without the label in `q: agents`."""
    return f"q={encoded(_LABEL.sub('', text, count=1) if _LABEL.match(text) else text)}"


def encoded(text: str) -> str:
    """Return `text` as it may stand in a query, as readable as it can be."""
    return visible(text, also="%&+#")
