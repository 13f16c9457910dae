"""What each worker does besides answering, under whichever server: begin to refresh, and leave the archive whole."""

import sys
import threading
from typing import Any

from feedproxy.errors import FeedproxyError
from feedproxy.refresh import Refresher
from feedproxy.upstream import Hub

_PATIENCE = 60.0  # seconds until a server without papers says so on the terminal
_GRACE = 1.0  # seconds in which a refresh may still end by itself


def begin(service: Any, *, first: bool) -> None:
    """Refresh before a reader asks; the first worker says so where that leads nowhere."""
    service.refresher.start()
    if first:
        threading.Thread(target=_tell_if_hopeless, args=(service.refresher,), daemon=True).start()


def end(service: Any) -> None:
    """Let go of the archive, so that one file is left of it.

    A refresh that takes longer is cut off, and gives its lease back: whatever it stores is one transaction.
    """
    service.refresher.stop(_GRACE)
    service.archive.close()


def _tell_if_hopeless(refresher: Refresher) -> None:
    try:
        refresher.wait_until_filled(_PATIENCE)
    except FeedproxyError as error:
        hint = "; to try feedproxy without a network: feedproxy serve --demo"
        print(f"feedproxy: {error}{hint if isinstance(refresher.source, Hub) else ''}", file=sys.stderr)
