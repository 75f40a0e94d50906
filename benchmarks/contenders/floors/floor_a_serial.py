"""Floor A, one by one: fetch every page with requests and throw it away."""

import os

import requests

if __name__ == "__main__":
    session, page = requests.Session(), 1
    while page:
        params = {"page": page, "per_page": os.environ["BENCH_PER_PAGE"]}
        response = session.get(os.environ["BENCH_URL"] + "/records", params=params)
        response.raise_for_status()
        page = response.json()["meta"]["next_page"]
