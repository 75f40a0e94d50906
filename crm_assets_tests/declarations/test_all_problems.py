"""All that is wrong with declarations and connections in one go, each with file and line."""

from __future__ import annotations

import pytest

from crm_assets.declarations import SpecError
from crm_assets.declarations.errors import nearest, problems_of
from crm_assets_tests.declarations.desk import Desk

CRM = """\
client:
  base_url: https://api.mycrm.test/v1
  auth: {type: bearer, token: 'dlt.secrets["token"]'}
resource_defaults:
  primary_keys: id
  endpoint:
    data_path: data
resources:
  - name: people
    primary_key: id
    endpoint: {path: /people, data_selector: data, paginator: single_page}
    columns:
      id: integer
      name:
        type: string
        descripton: Full name
  - name: deals
    primary_key: key
    endpoint: {path: "/deals/{peple_id}", data_selector: data, paginator: single_page}
    columns:
      id: bigint
  - name: notes
    primary_key: id
    parent: peopel
    endpoint: {path: "/notes", data_selector: data, paginator: single_page}
    columns: {id: bigint}
"""


def problems(desk: Desk, system: str = "crm") -> list[str]:
    with pytest.raises(SpecError) as error:
        desk.system(system)
    return list(map(str, problems_of(error.value)))


def test_every_mistake_of_a_file_has_its_line_and_the_word_that_was_meant(desk: Desk) -> None:
    desk.write("systems/crm.yaml", CRM)
    found = problems(desk)
    expected = [
        "crm.yaml:5, system crm, key resource_defaults.primary_keys: unknown key; did you mean 'primary_key'?",
        "crm.yaml:7, system crm, key resource_defaults.endpoint.data_path: unknown key; did you mean 'data_selector'?",
        "crm.yaml:13, system crm, resource people, key columns.id.type: got 'integer'; did you mean 'bigint'?",
        "crm.yaml:15, system crm, resource people, key columns.name.type: got 'string'; did you mean 'text'?",
        "crm.yaml:16, system crm, resource people, key columns.name.descripton: unknown key; did you mean 'descri",
        "crm.yaml:18, system crm, resource deals, key primary_key: no column 'key'",
    ]
    for sentence in expected:
        assert [problem for problem in found if problem.startswith(sentence)], (sentence, found)
    assert len(found) == len(expected), found


def test_rules_between_resources_are_told_together(desk: Desk) -> None:
    text = CRM.replace("primary_keys: id", "primary_key: id").replace("    data_path: data\n", "    method: GET\n")
    text = text.replace("integer", "bigint").replace("string", "text").replace("descripton", "description")
    desk.write("systems/crm.yaml", text.replace("primary_key: key", "primary_key: id"))
    assert problems(desk) == [
        (
            "crm.yaml:19, system crm, resource deals, key endpoint: nothing fills {peple_id}. "
            "A parent resource, params, window or incremental would"
        ),
        (
            "crm.yaml:24, system crm, resource notes, key parent: no resource 'peopel'; did you mean 'people'? "
            "Known: deals, notes, people"
        ),
    ]


def test_what_is_wrong_with_one_resource_does_not_hide_the_rules_of_the_others(desk: Desk) -> None:
    text = CRM.replace("primary_keys: id", "primary_key: id").replace("    data_path: data\n", "    method: GET\n")
    desk.write("systems/crm.yaml", text.replace("primary_key: key", "primary_key: id"))
    assert any("nothing fills {peple_id}" in problem for problem in problems(desk))
    assert any("got 'integer'" in problem for problem in problems(desk))
    assert not any("no resource 'people'" in problem for problem in problems(desk))


def test_a_mistake_in_a_profile_and_one_in_what_it_extends_are_in_their_own_files(desk: Desk) -> None:
    desk.write("systems/crm.yaml", CRM.replace("primary_keys", "primary_key").replace("data_path", "data_selector"))
    desk.write("systems/vendor.yaml", "extends: crm\nresources:\n  - name: deals\n    columns:\n      age: int\n")
    found = problems(desk, "vendor")
    assert any(one.startswith("vendor.yaml:5, system vendor, resource deals, key columns.age.type") for one in found)
    assert any(one.startswith("crm.yaml:13, system vendor, resource people, key columns.id.type") for one in found)


def test_connections_and_their_systems_are_told_together(desk: Desk) -> None:
    desk.declare("good")
    desk.declare("bad", resources__0__endpoint__method="PUSH")
    with pytest.raises(SpecError) as error:
        desk.connect(
            {"name": "one", "system": "bad"},
            {"name": "two", "system": "bad"},
            {"name": "three", "system": "good", "concurrency": 0, "timezone": "Europe/Berln"},
            {"name": "four", "system": "god"},
        )
    text = str(error.value)
    assert text.startswith("4 problems:\n")
    assert text.count("key endpoint.method: got 'PUSH'") == 1
    assert "connection three, key concurrency: expected at least 1, got 0" in text
    assert "connection three, key timezone: unknown time zone 'Europe/Berln'" in text
    assert "connection four, key system: no system 'god'; did you mean 'good'?" in text


def test_a_value_of_several_possible_types_is_one_problem(desk: Desk) -> None:
    desk.declare("crm", params={"team": {"description": "Team"}})
    with pytest.raises(SpecError) as error:
        desk.connection(params={"team": ["a"]})
    assert len(problems_of(error.value)) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a:\n  b: 1\n\tc: 2\n", "a.yaml:3: is not valid YAML: "),
        ("a:\n  b: 1\n\tc: 2\n", "the line is indented with a tab, and YAML allows only spaces"),
        ("a:\n  b: 1\n c: 2\n", "the indentation of this line or the one above is wrong"),
    ],
)
def test_what_the_parser_says_comes_with_a_hint(desk: Desk, text: str, sentence: str) -> None:
    desk.write("systems/a.yaml", text)
    assert sentence in problems(desk, "a")[0]


@pytest.mark.parametrize(
    ("word", "meant"), [("integer", "bigint"), ("Boolean", "bool"), ("datetime", "timestamp"), ("tex", "text")]
)
def test_words_of_other_tools_are_understood(word: str, meant: str) -> None:
    types = ["text", "bigint", "double", "decimal", "bool", "timestamp", "date", "json"]
    assert nearest(word, types) == f"; did you mean {meant!r}?"
