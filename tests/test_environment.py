"""What the machine's environment says of proxies and certificates: it works, or one line names the variable."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedproxy.errors import UpstreamError
from feedproxy.ingest.environment import certificates
from feedproxy.ingest.http import Fetcher
from tests import hub as fake
from tests.hub import Answer

NO_PROXY_OF_THIS_KIND = " must be an HTTP proxy such as http://HOST:PORT; SOCKS is not supported"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is set but what a test sets; certificates are loaded anew."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy") or name.startswith("SSL_CERT_")]:
        monkeypatch.delenv(name)
    certificates.cache_clear()
    yield
    certificates.cache_clear()


def failure(address: str) -> str:
    """Return the error with which a request to `address` fails."""
    with pytest.raises(UpstreamError) as raised:
        Fetcher(address, interval=0).get("/x")
    return str(raised.value)


@pytest.mark.parametrize("name", ["ALL_PROXY", "HTTPS_PROXY", "https_proxy", "all_proxy"])
@pytest.mark.parametrize(
    "value", ["socks5://127.0.0.1:9", "socks5h://u:p@h:9", "ftp://h", "http://", "http://[::1", "http://h:99999", ":/"]
)
def test_proxy_that_is_none(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A proxy of another kind, or a value that is no proxy, is one line that names the variable."""
    monkeypatch.setenv(name, value)
    assert f"{name}{NO_PROXY_OF_THIS_KIND}" == failure("https://hub.invalid")


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("form", ["http://127.0.0.1:{}", "127.0.0.1:{}", "http://user:secret@127.0.0.1:{}"])
def test_proxy_that_is_down(monkeypatch: pytest.MonkeyPatch, scheme: str, form: str) -> None:
    """If the proxy cannot be reached it is to blame, not the Hub; strangers do not see its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv(f"{scheme}_proxy", form.format(port))
    assert f"cannot reach the proxy of {scheme}_proxy: Connection refused" == failure(f"{scheme}://hub.invalid")


def test_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch, hub: fake.Hub) -> None:
    """A proxy that opens no tunnel is to blame as well."""
    monkeypatch.setenv("HTTPS_PROXY", hub.url)
    assert failure("https://hub.invalid").startswith("cannot reach the proxy of HTTPS_PROXY: 501 ")


def test_proxy_that_breaks_off(monkeypatch: pytest.MonkeyPatch, hub: fake.Hub) -> None:
    """An error behind the proxy says that it was on the way through the proxy."""
    monkeypatch.setenv("HTTP_PROXY", hub.url)
    hub.standing = Answer(body=b"half", headers={"Content-Length": "99", "Connection": "close"})
    assert failure("http://hub.invalid").startswith(
        "cannot reach hub.invalid through the proxy of HTTP_PROXY: peer closed"
    )


def test_proxy(monkeypatch: pytest.MonkeyPatch, hub: fake.Hub) -> None:
    """A proxy is asked for the whole address."""
    monkeypatch.setenv("ALL_PROXY", hub.url)
    hub.standing = Answer(body=b"through")
    assert b"through" == Fetcher("http://hub.invalid", interval=0).get("/x").body
    assert "hub.invalid" == hub.requests[0].headers["Host"]


@pytest.mark.parametrize(
    "exempt", ["127.0.0.1", "example.org,127.0.0.1", "*", "fd00::/8,127.0.0.1", "10.0.0.0/8, 127.0.0.1"]
)
def test_no_proxy(monkeypatch: pytest.MonkeyPatch, hub: fake.Hub, exempt: str) -> None:
    """What NO_PROXY names is asked directly, whatever else is in it."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid")
    monkeypatch.setenv("NO_PROXY", exempt)
    hub.standing = Answer(body=b"directly")
    assert b"directly" == Fetcher(hub.url, interval=0).get("/x").body


def test_no_proxy_of_networks(monkeypatch: pytest.MonkeyPatch, hub: fake.Hub) -> None:
    """Networks in NO_PROXY are no error."""
    monkeypatch.setenv("NO_PROXY", "fd00::/8,[::1],::1,10.0.0.0/8,.example.org,http://[")
    hub.standing = Answer(body=b"directly")
    assert b"directly" == Fetcher(hub.url, interval=0).get("/x").body


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None) -> None:
    """A file of certificates that is missing or broken is one line that names the variable."""
    path = tmp_path / "certificates.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    assert "SSL_CERT_FILE is not a readable file of certificates" == failure("https://127.0.0.1:1")


@pytest.mark.parametrize("folder", ["missing", "."])
def test_certificates_in_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str) -> None:
    """A folder of certificates that is missing or empty is to blame, not the Hub's certificate."""
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / folder))
    assert "SSL_CERT_DIR names no folder with certificates in it" == failure("https://127.0.0.1:1")


def test_certificates_without_tls(monkeypatch: pytest.MonkeyPatch, hub: fake.Hub) -> None:
    """A mirror without TLS needs no certificates."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    hub.standing = Answer(body=b"plain")
    assert b"plain" == Fetcher(hub.url, interval=0).get("/x").body
