"""One family of errors: each knows its one-line message, its HTTP status and its exit code.

Any room may raise them; only `web` turns them into answers, and `cli` into exits.
"""

import re
from collections.abc import Iterable
from itertools import islice

_MAX_MISTAKES = 10  # that are reported of one query
_NUMBERS = re.compile(r"\[Errno -?\d+\] ")  # for programmers; words that say the same follow


class FeedproxyError(Exception):
    """Anything feedproxy expects to go wrong; its `str()` is one line for the operator.

    `problems` has a line for each problem, if there are several. `public` is the line for strangers, who must not read
    the name of a path or a database.
    """

    status = 500
    exit_code = 1
    retry_after: int | None = None  # seconds
    message = ""  # the default

    def __init__(self, message: str = "", retry_after: int | None = None) -> None:
        super().__init__(" ".join(_NUMBERS.sub("", message or self.message).split()))
        self.problems: tuple[str, ...] = (str(self),)
        if retry_after is not None:
            self.retry_after = retry_after

    @property
    def public(self) -> str:
        """The message for strangers."""
        return str(self)


class QueryError(FeedproxyError):
    """A parameter or filter has a mistake, at character `position` of its value (from 0; None: all of it).

    `problem` is the message without the parameter's name, `others` are further mistakes of the same query, and
    `suggestion` is the query that may be meant, if there is one.
    """

    status = 400
    exit_code = 2

    def __init__(self, parameter: str, message: str, position: int | None = None) -> None:
        where = "" if position is None else f"at character {position + 1}"
        super().__init__(f"{parameter} {where}".rstrip() + f": {message}")
        self.problem = f"{where}: {message}" if where else message
        self.parameter = parameter
        self.position = position
        self.others: tuple[QueryError, ...] = ()
        self.suggestion = ""

    @property
    def mistakes(self) -> tuple["QueryError", ...]:
        """This mistake and the others."""
        return (self, *self.others)

    @classmethod
    def of(cls, mistakes: Iterable["QueryError"], suggestion: str = "") -> "QueryError":
        """Return the first of some mistakes, at most ten, with the others in it."""
        first, *others = islice(mistakes, _MAX_MISTAKES)
        first.others, first.suggestion = tuple(others), suggestion
        first.problems = tuple(map(str, first.mistakes)) + ((f"did you mean {suggestion}?",) if suggestion else ())
        return first


class UnknownFeedError(FeedproxyError):
    """No feed has this name."""

    status = 404
    exit_code = 2


class HostError(FeedproxyError):
    """The request is for a host name that this server does not have."""

    status = 421


class AccessError(FeedproxyError):
    """The request lacks this server's access key."""

    status = 403
    message = "this server is private: its addresses begin with /k/, its access key and a slash"


class ConfigError(FeedproxyError):
    """The settings have mistakes."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(" ".join(problem.split()) for problem in problems)


class PublishError(FeedproxyError):
    """A folder cannot be published to."""


class ListingError(FeedproxyError):
    """One listing cannot be read; this says nothing about others."""

    status = 503


class SavedListingError(ListingError):
    """A saved listing cannot be read."""

    public = "the saved listing of this server cannot be used; its log says why"


class UpstreamError(FeedproxyError):
    """The source cannot send any listing at the moment."""

    status = 503


class TooEarlyError(UpstreamError):
    """The last try failed a moment ago, and there was no new one."""


class NoPapersYet(UpstreamError):  # noqa: N818 (nothing is wrong yet)
    """The archive is empty; `reason` says why."""

    def __init__(self, reason: str = "", retry_after: int | None = None) -> None:
        super().__init__(f"there are no papers yet{reason and ': '}{reason}", retry_after)


class ArchiveError(FeedproxyError):
    """The archive cannot be opened, read or written."""

    status = 503
    retry_after = 60
    public = "the archive of this server cannot be used; its log says why"


class DeadlineError(ArchiveError):
    """A read of the archive took longer than a request may take."""

    public = "this query is too expensive for this server: ask for fewer words, days or entries"


class BusyError(FeedproxyError):
    """This process already works on as many requests as it may."""

    status = 503
    retry_after = 5
    message = "this server is busy; ask again in a few seconds"


class LeaseError(FeedproxyError):
    """Another process took the lease while this one was refreshing."""

    status = 503
    message = "lost the refresh lease to another process; this batch was discarded"
