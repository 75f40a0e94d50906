"""The ``Link`` header in all the ways in which servers write it."""

from __future__ import annotations

import pytest

from crm_assets.extract.paging.link_header import link_url


@pytest.mark.parametrize(
    "header",
    [
        '</b>; rel="next"',
        "</b>; rel=next",
        "</b>;rel='next'",
        '</b>; REL="Next"',
        '</b>; title="a, b; c"; rel="prev next"',
        '</a>; rel="first", </b>; rel="next",</c>; rel="last"',
        '</b>; rel="next"; rel="prev"',
        '</a>; rel="prev"; rel="next", </b>; crossorigin; rel="https://rels.example/older next"',
        r'</b>; title="say \"; rel=\"prev"; rel="next"',
    ],
)
def test_the_link_of_a_relation_is_found(header: str) -> None:
    assert link_url(header, "next") == "/b"


@pytest.mark.parametrize("header", ["", '</b>; rel="prev"', '</b>; title="next"', "</b>", 'next; rel="next"', '<;,="'])
def test_other_links_are_not_taken_for_it(header: str) -> None:
    assert link_url(header, "next") is None


def test_an_address_may_contain_what_separates_links() -> None:
    assert link_url('<https://a.example/x;v=1?ids=1,2>; rel="next"', "next") == "https://a.example/x;v=1?ids=1,2"
