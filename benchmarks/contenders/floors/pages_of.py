"""Fetch all pages of the list with 8 requests in flight: what every floor does first."""

import asyncio
import os

import aiohttp
import orjson

URL = os.environ["BENCH_URL"] + "/records"
PER_PAGE = os.environ["BENCH_PER_PAGE"]
IN_FLIGHT = int(os.environ.get("BENCH_IN_FLIGHT", "8"))

STRUCT = (
    "STRUCT(id BIGINT, number VARCHAR, name VARCHAR, first_name VARCHAR, last_name VARCHAR, email VARCHAR, "
    "phone VARCHAR, mobile VARCHAR, company VARCHAR, job_title VARCHAR, website VARCHAR, status VARCHAR, "
    "source VARCHAR, owner_id BIGINT, amount_cents BIGINT, probability DOUBLE, score DOUBLE, is_active BOOLEAN, "
    "opted_out BOOLEAN, description VARCHAR, notes VARCHAR, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ, "
    "address JSON, items JSON)"
)


async def fetch_all(take):
    """Call ``take(page_number, bytes)`` for every page, in the order of arrival."""

    async def fetch(session, page):
        async with session.get(URL, params={"page": page, "per_page": PER_PAGE}) as response:
            response.raise_for_status()
            return await response.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:
        first = await fetch(session, 1)
        take(1, first)
        pages = iter(range(2, orjson.loads(first)["meta"]["total_pages"] + 1))

        async def work():
            for page in pages:
                take(page, await fetch(session, page))

        await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


def run(take):
    """Fetch all pages, blocking."""
    asyncio.run(fetch_all(take))
