"""Secrets in all the forms in which servers repeat them."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

import pytest

from crm_assets.extract.http.redactor import Redactor

SECRETS = ["pa/ss+wörd=1&x", 's3cr"et\\\\y/zz<', "tok en with space", "abc%2Fdef%3D", "QWERTYqwerty1234=="]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_form_of_a_secret_is_left(secret: str) -> None:
    redact = Redactor()
    redact.remember(secret)
    quoted = [quote(secret, safe=""), quote(secret), quote_plus(secret)]
    quoted += [re.sub("%..", lambda found: found[0].lower(), text) for text in quoted]
    written = [json.dumps(secret)[1:-1], json.dumps(secret).replace("/", r"\/")[1:-1], html.escape(secret)]
    packed = [base64.b64encode(secret.encode()).decode(), base64.urlsafe_b64encode(secret.encode()).decode()]
    for form in (secret, *quoted, *written, *packed):
        assert re.sub("=*$", "", redact(f"wrong key: {form}")) == "wrong key: ***"


def test_words_are_left_alone() -> None:
    redact = Redactor()
    redact.remember("key", "")
    assert redact("the key is wrong") == "the key is wrong"
