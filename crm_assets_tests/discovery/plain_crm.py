"""A CRM that knows nothing of the product: OAuth or a key, pages by Link and last record, local times, one object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs

from crm_assets_tests.loopback import Answer, Asked, loopback

PEOPLE = [
    {
        "id": n,
        "fullName": f"Person {n}",
        "contact": {"email": f"p{n}@mail.test", "phone": None if n % 3 else f"+49 30 {n}"},
        "active": n % 2 == 0,
        "updated_at": f"2026-03-{n:02d}T10:00:00Z",
        "tags": ["a", "b"],
        "fax": None,
    }
    for n in range(1, 26)
]
DEALS = [
    {"deal_id": f"d{n:03d}", "amount": n + 0.5, "created": f"2026-03-{n:02d} 08:30:00", "customFields": {"Tier": n % 3}}
    for n in range(1, 14)
]
ACCOUNT = {"id": 7, "company": "Plain Ltd", "plan": "pro"}
STAGES = [{"code": "new", "title": "New"}, {"code": "won", "title": "Won"}]


@contextmanager
def plain_crm() -> Iterator[tuple[str, list[str]]]:
    """Serve it; gives the address and the paths that were asked for."""
    heard: list[str] = []
    with loopback(lambda asked: _answer(asked, heard)) as url:
        yield f"{url}/v2", heard


def _answer(asked: Asked, heard: list[str]) -> Answer:
    if asked.method == "POST":
        right = parse_qs(asked.body.decode()).get("client_secret") == ["s3cret-value"]
        return Answer({"access_token": "tok-1", "expires_in": 3600}) if right else Answer({"error": "no"}, 401)
    if asked.headers.get("X-Auth") != "k3y-value" and asked.headers.get("Authorization") != "Bearer tok-1":
        return Answer({"error": "unauthorized"}, 401)
    heard.append(asked.target)
    match asked.path:
        case "/v2":
            base = f"http://{asked.headers['Host']}/v2"
            return Answer({name: f"{base}/{name}" for name in ("people", "deals", "account", "stages")})
        case "/v2/people":
            return _people(asked.query)
        case "/v2/deals":
            rows = [one for one in DEALS if str(one["deal_id"]) > asked.query.get("starting_after", "")]
            return Answer({"deals": rows[:5], "has_more": len(rows) > 5})
        case "/v2/account":
            return Answer(ACCOUNT)
        case "/v2/stages":
            return Answer({"total": len(STAGES), "items": STAGES})
        case _:
            return Answer({"error": "nothing here"}, 404)


def _people(query: dict[str, str]) -> Answer:
    rows = [one for one in PEOPLE if str(one["updated_at"]) >= query.get("updated_since", "")]
    page = int(query.get("p", "1"))
    headers = {"X-RateLimit-Limit": "600"}
    if page * 10 < len(rows):
        since = f"&updated_since={query['updated_since']}" if "updated_since" in query else ""
        headers["Link"] = f'</v2/people?p={page + 1}{since}>; rel="next"'
    return Answer(rows[page * 10 - 10 : page * 10], headers=headers)
