"""One family of errors: each knows its one-line message, its HTTP status and its exit code.

Raised anywhere, turned into an answer or an exit once, by `web` or `cli`.
"""


class FeedproxyError(Exception):
    """Anything feedproxy expects to go wrong; `str()` of it is one line for the operator.

    `public` is the line for strangers: the same, unless that could name a path or a database.
    """

    status = 500
    exit_code = 1
    retry_after: int | None = None  # seconds
    message = ""  # if all errors of the class have the same

    def __init__(self, message: str = "") -> None:
        super().__init__(" ".join((message or self.message).split()))

    @property
    def public(self) -> str:
        """The message for strangers."""
        return str(self)


class QueryError(FeedproxyError):
    """A parameter or filter that cannot be read.

    `position` counts the characters of the value from 0; None if the whole value is wrong. `problem` is the message
    without the parameter's name.
    """

    status = 400
    exit_code = 2

    def __init__(self, parameter: str, message: str, position: int | None = None) -> None:
        where = "" if position is None else f"at character {position + 1}"
        super().__init__(f"{parameter} {where}".rstrip() + f": {message}")
        self.problem = f"{where}: {message}" if where else message
        self.parameter = parameter
        self.position = position


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
    """The settings cannot be used; `problems` has a line for each reason."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(" ".join(problem.split()) for problem in problems)


class ListingError(FeedproxyError):
    """One listing cannot be read; others may be."""

    status = 503


class SavedListingError(ListingError):
    """A saved listing cannot be read."""

    public = "the saved listing of this server cannot be used; its log says why"


class UpstreamError(FeedproxyError):
    """No listing can be had at the moment; `retry_after` in seconds if the Hub said so."""

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
    """Reading the archive took longer than a request may take."""

    public = "this query is too expensive for this server: ask for fewer words, days or entries"


class BusyError(FeedproxyError):
    """This process is working on as many requests as it may."""

    status = 503
    retry_after = 5
    message = "this server is busy; ask again in a few seconds"


class LeaseError(FeedproxyError):
    """This process has lost the lease while it was refreshing."""

    status = 503
    message = "lost the refresh lease to another process; this batch was discarded"
