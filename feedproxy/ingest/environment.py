"""The machine's proxy and certificates, as environment variables name them, in; what a client of httpx needs out.

httpx reads these variables too, and fails over values that other programs take: here each mistake is one UpstreamError
that names its variable.
"""

import os
import ssl
from functools import cache
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import httpx

from feedproxy.errors import UpstreamError


def proxy_for(address: httpx.URL) -> tuple[httpx.Proxy | None, str]:
    """Return the proxy to reach `address` through, if any, and the name of the variable that says so."""
    named = getproxies()
    text = named.get(address.scheme) or named.get("all")
    if not text or proxy_bypass(address.host):
        return None, ""
    kinds = (address.scheme, "all")
    names = (name for kind in kinds for name in (f"{kind}_proxy", f"{kind}_proxy".upper()) if os.environ.get(name))
    variable = next(names, "the settings of this machine")
    try:
        proxy = httpx.Proxy(text if "://" in text else f"http://{text}")
        usable = proxy.url.scheme in ("http", "https") and proxy.url.host and (proxy.url.port or 0) < 2**16
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise UpstreamError(f"{variable} is to name an HTTP proxy, as http://HOST:PORT; SOCKS is not spoken")
    return proxy, variable


@cache
def certificates() -> ssl.SSLContext:
    """Return what checks certificates; loading those takes longer than an answer of the Hub."""
    folders = [] if os.environ.get("SSL_CERT_FILE") else os.environ.get("SSL_CERT_DIR", "").split(os.pathsep)
    if any(folders) and not any(file for folder in folders for file in Path(folder).glob("*")):
        raise UpstreamError("SSL_CERT_DIR names no folder with certificates in it")
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        raise UpstreamError("SSL_CERT_FILE names no file of certificates that can be read") from error
