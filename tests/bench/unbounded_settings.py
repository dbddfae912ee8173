"""The product's settings without the second line: what `rls-cost` is measured against."""

from core import tenants
from ovim_site.settings import *  # noqa: F403
from ovim_site.settings import MIDDLEWARE

tenants.work_for_all()
MIDDLEWARE = [name for name in MIDDLEWARE if name != "core.tenants.Bounded"]
