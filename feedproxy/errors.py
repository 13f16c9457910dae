"""One family of errors: each knows its one line, its HTTP status and its exit code.

Raised anywhere, put into words here, translated once at each door (`web`, `cli`).
"""


class FeedproxyError(Exception):
    """Anything feedproxy expects to go wrong; `str()` of it is one line for whoever runs it.

    `public` is the line for strangers: the same, unless it would name a path or a database.
    """

    status = 500
    exit_code = 1
    retry_after: int | None = None
    message = ""  # of an error that has but one

    def __init__(self, message: str = "") -> None:
        super().__init__(" ".join((message or self.message).split()))

    @property
    def public(self) -> str:
        """What may be told to anybody."""
        return str(self)


class QueryError(FeedproxyError):
    """A parameter or filter that cannot be read.

    `position` counts characters of the parameter's value from 0; None where the whole is wrong.
    `problem` is the message for where it stands beside the parameter.
    """

    status = 400
    exit_code = 2

    def __init__(self, parameter: str, message: str, position: int | None = None) -> None:
        where = "" if position is None else f"at character {position + 1}"
        super().__init__(f"{parameter} {where}".rstrip() + f": {message}")
        self.problem = f"{where}: {message}".removeprefix(": ")
        self.parameter = parameter
        self.position = position


class UnknownFeedError(FeedproxyError):
    """A name that no feed has."""

    status = 404
    exit_code = 2


class HostError(FeedproxyError):
    """A request for a host name this server was not told it has."""

    status = 421


class AccessError(FeedproxyError):
    """A request without the access key of this server."""

    status = 403
    message = "this server is private: its addresses begin with /k/, its access key and a slash"


class ConfigError(FeedproxyError):
    """Settings that cannot be used: `problems` are all of them, a line each."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(" ".join(problem.split()) for problem in problems)


class ListingError(FeedproxyError):
    """Bytes that are no listing."""

    status = 503


class SavedListingError(ListingError):
    """A saved listing that cannot be read."""

    public = "the saved listing of this server cannot be used; its log says why"


class UpstreamError(FeedproxyError):
    """The listing cannot be had at the moment; `retry_after` in seconds where the Hub said so."""

    status = 503

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NoPapersYet(UpstreamError):  # noqa: N818 (nothing is wrong yet)
    """The archive is empty, `reason` says why."""

    def __init__(self, reason: str = "", retry_after: int | None = None) -> None:
        super().__init__(f"there are no papers yet{reason and ': '}{reason}", retry_after)


class ArchiveError(FeedproxyError):
    """The archive cannot be opened, read or written."""

    status = 503
    retry_after = 60
    public = "the archive of this server cannot be used; its log says why"


class DeadlineError(ArchiveError):
    """A read of the archive that took longer than a request may."""

    public = "this query is too expensive for this server: ask for fewer words, days or entries"


class BusyError(FeedproxyError):
    """More requests than this process works on at once."""

    status = 503
    retry_after = 5
    message = "this server is busy; ask again in a few seconds"


class LeaseError(FeedproxyError):
    """The right to refresh, lost to another process while this one was at it."""

    status = 503
    message = "another process refreshes by now; what this one brought is dropped"
