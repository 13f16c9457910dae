"""What stands in the log, and what never does."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedproxy.config import Config
from feedproxy.logs import cleaned, keep_out, start_log
from feedproxy.web import create_app

KEY = "made-up_KEY-0123456789"
TOKEN = "hf_madeuptoken"  # noqa: S105
PASSWORD = 'made/up "p@ss\\wörd'  # noqa: S105
log = logging.getLogger("gunicorn.error")


@pytest.fixture(params=[False, True], ids=["plain", "JSON"])
def written(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Return what is written to a log that was there before its secrets were known, in either form."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level, logging.getLogger("httpx").level
    root.handlers = [logging.StreamHandler(stream)]
    start_log(as_json=request.param)
    root.setLevel(logging.INFO)
    keep_out([KEY, TOKEN, PASSWORD], keys=True)
    yield stream.getvalue
    root.handlers, level, of_httpx = before
    root.setLevel(level)
    logging.getLogger("httpx").setLevel(of_httpx)


def percent(text: str) -> str:
    """Percent-encode every character."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        (f"/k/{KEY}/feed.rss?q=a", "/k/***/feed.rss?q=a"),
        (f"/d/%6b/{KEY}", "/d/%6b/***"),
        (f"http://h/k%2F{KEY}%2Ffeed.rss", "http://h/k%2F***%2Ffeed.rss"),
        (f"/k/{KEY}?q=/k/{KEY}", "/k/***?q=/k/***"),
        (f"/k/k/{KEY}/feed.rss", "/k/k/***/feed.rss"),
        (f"/k/./{KEY}/feed.rss", "/k/***/***/feed.rss"),
        (f"/k//{KEY}/feed.rss", "/k//***/feed.rss"),
        (f"/k/'{KEY}/feed.rss", "/k/'***/feed.rss"),
        (f"/{KEY.lower()}/feed.rss", "/***/feed.rss"),
        (f"k/{KEY}/feed.rss", "k/***/feed.rss"),
        (f"/feed.rss?key={KEY}", "/feed.rss?key=***"),
        ("/k/nearly_right/feed.rss", "/k/***/feed.rss"),
        (f"/x/{percent(KEY)}", "/x/***"),
        (f"/x/{KEY.replace('-', '%2d')}", "/x/***"),
        (f"/x/{percent(KEY).replace('%', '%25')}", "/x/***"),
        (f"Bearer {TOKEN}", "Bearer ***"),
        (f"password={PASSWORD!r}", "password='***'"),
        (f"postgresql://ada:{percent(PASSWORD)}@db/papers", "postgresql://ada:***@db/papers"),
        ("postgresql://ada:short@db/papers", "postgresql://ada:***@db/papers"),
        ("https://example.org/a:b", "https://example.org/a:b"),
    ],
)
def test_spellings(written: Callable[[], str], spelled: str, expected: str) -> None:
    """However a secret is spelled, and wherever it stands, it is left out; so is what stands in a key's place."""
    log.warning('%(h)s "GET %(r)s HTTP/1.1"', {"h": "::1", "r": spelled})
    line = written()
    message = json.loads(line)["message"] if line.startswith("{") else line.partition(" WARNING ")[2].rstrip("\n")
    assert f'::1 "GET {expected} HTTP/1.1"' == message


SECRETS = (KEY, TOKEN, PASSWORD, repr(PASSWORD)[1:-1], json.dumps(PASSWORD)[1:-1], percent(PASSWORD))


def test_tracebacks(written: Callable[[], str]) -> None:
    """Neither a traceback nor a stack, a mapping nor what is given besides has a secret in it."""
    for secret in SECRETS:
        try:
            raise ValueError(secret) from KeyError(f"/k/{secret}/feed.rss", secret)
        except ValueError:
            log.exception("failed")
        log.error({"mapping": secret})
        log.error("with more", extra={"path": secret})
        log.error("with a stack", stack_info=True)
    text = written()
    assert len(SECRETS) == text.count("ValueError: ***")
    assert [] == [secret for secret in SECRETS if secret in text]


def test_handlers_made_later(written: Callable[[], str]) -> None:
    """A handler that a server makes for itself, with a form of its own, writes no secret either."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(args)s %(msg)s"))
    log.addHandler(handler)
    try:
        log.error("%s", f"/x/{KEY}")
    finally:
        log.removeHandler(handler)
    assert "('/x/***',) %s\n" == stream.getvalue()


def test_application_keeps_its_secrets(tmp_path: Path) -> None:
    """An application has its own secrets kept out of the log of its process, the password of its database too."""
    settings = {
        "FEEDPROXY_ACCESS_KEY": "another-KEY_0123456789",
        "FEEDPROXY_HF_TOKEN": "hf_anothertoken",
        "FEEDPROXY_ARCHIVE": "postgresql://ada:another%2Fpassword@127.0.0.1:9/papers",
        "FEEDPROXY_LISTING": str(tmp_path),
    }
    create_app(Config.load(settings))
    assert "*** *** ***" == cleaned("another-key_0123456789 hf_anothertoken another/password")
