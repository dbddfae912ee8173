"""The product's settings and one more app: a ConfigMap-like row, the smallest thing the engine can reconcile."""

from core import tenants
from ovim_site.settings import *  # noqa: F403
from ovim_site.settings import INSTALLED_APPS, OVIM_KINDS

tenants.work_for_all()  # tests make rows of all tenants; requests are bounded as ever
INSTALLED_APPS = [*INSTALLED_APPS, "tests.engine.notes"]
OVIM_KINDS = [*OVIM_KINDS, "tests.engine.notes.kinds.NOTEBOOK", "tests.engine.notes.kinds.NOTE"]
