"""Wire transcripts: what is said over HTTP, request by request, and the rows that must come of it."""

import pytest

pytest.register_assert_rewrite("crm_assets_tests.transcripts.harness")
