"""YAML: words stay words, keys are given once, and what is no YAML is one sentence with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crm_assets.declarations import SpecError
from crm_assets.declarations.yaml_reader import read_yaml


def test_on_no_and_yes_are_words(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("include: {on: a.b, off: yes}\ncountries: [no, on, NO]\nflags: [true, False]\nday: 2024-01-31\n")
    document = read_yaml(path)
    assert document["include"] == {"on": "a.b", "off": "yes"}
    assert document["countries"] == ["no", "on", "NO"]
    assert document["flags"] == [True, False]
    assert str(document["day"]) == "2024-01-31"


def test_a_merged_mapping_may_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("one: &one {a: 1, b: 2}\ntwo: &two {<<: *one, b: 3}\nthree: {<<: *two, a: 4}\n")
    assert read_yaml(path)["three"] == {"a": 4, "b": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3: is not valid YAML: key 'a' is given twice"),
        ("a:\n  - {x: 1}\n  - {x: 1, x: 2}\n", "a.yaml:3: is not valid YAML: key 'x' is given twice"),
        (
            "a: [1\nb: 2\n",
            "a.yaml:2: is not valid YAML: did not find expected ',' or ']'; the indentation of this line or",
        ),
        ("a: !!python/object:os.system {}\n", "a.yaml:1: is not valid YAML: could not determine a constructor"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2: is not valid YAML: but found another document"),
        ("? [a]\n: 1\n", "a.yaml:1: is not valid YAML: found unhashable key"),
        ("- a\n", "a.yaml: expected a mapping at the top of the file"),
        ("", "a.yaml: expected a mapping at the top of the file"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(SpecError) as error:
        read_yaml(path)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(SpecError, match=r"^a\.yaml: is not in UTF-8; save it with that encoding$"):
        read_yaml(path)


def test_json_is_read_with_characters_of_all_planes(tmp_path: Path) -> None:
    document = {"a": "\U0001f600 \u00fc \U0010fffd"}
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps(document), encoding="ascii")
    assert read_yaml(path) == document


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"cannot be read \(Is a directory\)"):
        read_yaml(tmp_path)
