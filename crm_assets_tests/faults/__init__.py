"""A sandbox that can be made to fail: what real APIs and networks do to a reader, on demand."""

from crm_assets_tests.faults.fault import ActiveFaults, Fault, FaultKind, FaultPlan
from crm_assets_tests.faults.request_log import LoggedRequest, RequestLog
from crm_assets_tests.faults.sandbox import FaultySandbox
from crm_assets_tests.faults.server import serve

__all__ = ["ActiveFaults", "Fault", "FaultKind", "FaultPlan", "FaultySandbox", "LoggedRequest", "RequestLog", "serve"]
