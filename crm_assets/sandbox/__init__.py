"""A local API server with test data for every configured connection, driven by the declarations alone."""

from crm_assets.sandbox.calls import sandbox_environment, sandbox_secrets
from crm_assets.sandbox.service import Sandbox, run_forever

__all__ = ["Sandbox", "run_forever", "sandbox_environment", "sandbox_secrets"]
