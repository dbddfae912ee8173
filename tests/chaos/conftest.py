"""The site of the VM tests: one cluster, one organization, and a hand that turns the engine."""

from tests.vms.conftest import images, sandbox, site

__all__ = ["images", "sandbox", "site"]
