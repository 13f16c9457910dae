"""The form of every line of the log, in every process: plain text, or one JSON object; and what is in none."""

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

_PLAIN = "%(asctime)s %(levelname)s %(message)s"
_FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"
_NAMES = {"asctime": "time", "levelname": "level"}


def start_log(*, as_json: bool = False) -> None:
    """Log to standard error; may be repeated, to change the form or in a process that inherited the log."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_json() if as_json else logging.Formatter(_PLAIN))


# Where a key stands; the public path before it may end in /k too.
_KEY = r"((?:(?:/|%2f)(?:k|%6b))+(?:/|%2f))(?:(?!%2f)[^/\s?#\"'])+"
_IN_ADDRESS = r"(://[^\s/?#@:]*:)[^\s/?#@]+(?=@)"
_SHORTEST = 8  # characters; a password that is shorter may be a word, and is left out of addresses only
_patterns: tuple[str, ...] = ()


def keep_out(secrets: Iterable[str], *, keys: bool = False) -> None:
    """From now on log none of `secrets` in this process; with `keys` nothing that stands in an access key's place.

    Servers log whole addresses, of good requests and of bad ones, and a traceback may quote anything: so what a
    handler is about to write is cleaned as a whole, whoever made the record and the handler.
    """
    global _patterns  # noqa: PLW0603 (as the log is)
    spellings = [text for secret in secrets if len(secret) >= _SHORTEST for text in _spellings(secret)]
    _patterns = tuple(dict.fromkeys([*_patterns, *spellings, *[_KEY] * keys]))
    logging.Handler.format = _cleaned_format  # type: ignore[method-assign, assignment]


def cleaned(text: str) -> str:
    """Return `text` without what is to be kept out, however it is percent-encoded or escaped."""
    for pattern in (_IN_ADDRESS, *_patterns):
        text = re.sub(pattern, lambda found: f"{found[1] if found.lastindex else ''}***", text, flags=re.IGNORECASE)
    return text


def _spellings(secret: str) -> Iterator[str]:
    """Yield patterns of `secret`: any character percent-encoded, up to five times; quoted by Python, JSON or both."""
    encoded = [(char, "".join(f"%(?:25){{0,4}}{byte:02x}" for byte in char.encode())) for char in secret]
    yield "".join(f"(?:{percent}|{re.escape(char)})" for char, percent in encoded)
    quoted = {repr(secret)[1:-1], json.dumps(secret)[1:-1]}
    yield from map(re.escape, (quoted | {json.dumps(text)[1:-1] for text in quoted}) - {secret})


_format = logging.Handler.format


def _cleaned_format(handler: logging.Handler, record: logging.LogRecord) -> str:
    return cleaned(_format(handler, record))


def _json() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    class Json(JsonFormatter):
        def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
            """Return the time as RFC 3339 has it, UTC."""
            return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    return Json(_FIELDS, rename_fields=_NAMES)
