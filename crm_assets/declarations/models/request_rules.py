"""Rules of values that go into every request."""

from __future__ import annotations

from urllib.parse import urlsplit

_CREDENTIAL_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})


def check_base_url(url: str) -> str:
    """Return the URL if it holds no credentials, which would show in every message and log.

    Raises:
        ValueError: It does.
    """
    if "@" in urlsplit(url).netloc:
        raise ValueError("a base_url must not contain a user or password; secrets go under auth")
    return url


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers if none of them is one that carries a credential.

    Raises:
        ValueError: One does.
    """
    for name in headers:
        if name.lower() in _CREDENTIAL_HEADERS:
            raise ValueError(f"the header {name} carries a credential; declare it under auth")
    return headers
