"""Proxies named in the environment, as curl and pip use them: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``NO_PROXY``.

aiohttp's own ``trust_env`` would also send the passwords of ``~/.netrc``.
"""

from __future__ import annotations

import ipaddress
from functools import cache
from urllib.request import getproxies, proxy_bypass

import yarl

from crm_assets.extract.errors import ReadError


@cache
def proxy_of(scheme: str, host: str) -> yarl.URL | None:
    """Return the proxy for a host, or ``None`` where it is reached directly; this machine always is.

    Raises:
        ReadError: The environment names something that is not an HTTP proxy.
    """
    proxies = getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address or _is_loopback(host) or proxy_bypass(host):
        return None
    variable = f"{scheme.upper()}_PROXY" if proxies.get(scheme) else "ALL_PROXY"
    try:
        proxy = yarl.URL(address if "://" in address else f"http://{address}")
    except ValueError as error:
        raise ReadError(f"{variable} is not the address of a proxy") from error
    if proxy.scheme not in ("http", "https") or not proxy.host:
        raise ReadError(f"{variable} names a {proxy.scheme or 'nameless'} proxy; HTTP proxies are supported")
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
