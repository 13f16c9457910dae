"""Environment variables in, the proxy and certificates for an httpx client out.

httpx reads these variables too, but fails on values that other programs accept. Here each mistake is an UpstreamError
that names the variable.
"""

import os
import ssl
from functools import cache
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import httpx

from feedproxy.errors import UpstreamError


def proxy_for(url: httpx.URL) -> tuple[httpx.Proxy | None, str]:
    """Return the proxy for `url`, if any, and the variable that names it."""
    proxies = getproxies()
    kind = next((kind for kind in (url.scheme, "all") if proxies.get(kind)), None)
    if not kind or proxy_bypass(url.host):
        return None, ""
    text = proxies[kind]
    names = (f"{kind}_proxy", f"{kind}_proxy".upper())
    variable = next((name for name in names if os.environ.get(name)), "the settings of this machine")
    try:
        proxy = httpx.Proxy(text if "://" in text else f"http://{text}")
        if proxy.url.scheme in ("http", "https") and proxy.url.host and (proxy.url.port or 0) < 2**16:
            return proxy, variable
    except (ValueError, httpx.InvalidURL):
        pass
    raise UpstreamError(f"{variable} must be an HTTP proxy such as http://HOST:PORT; SOCKS is not supported")


@cache  # to load them takes longer than a request to the Hub
def certificates() -> ssl.SSLContext:
    """Return TLS settings with the certificates of this machine, SSL_CERT_FILE or SSL_CERT_DIR."""
    folders = [] if os.environ.get("SSL_CERT_FILE") else os.environ.get("SSL_CERT_DIR", "").split(os.pathsep)
    if any(folders) and not any(file for folder in folders for file in Path(folder).glob("*")):
        raise UpstreamError("SSL_CERT_DIR names no folder with certificates in it")
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise UpstreamError("SSL_CERT_FILE is not a readable file of certificates") from error
