"""The product's settings and one more app: a ConfigMap-like row, the smallest thing the engine can reconcile."""

from ovim_site.settings import *  # noqa: F403
from ovim_site.settings import INSTALLED_APPS, OVIM_KINDS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.engine.notes"]
OVIM_KINDS = [*OVIM_KINDS, "tests.engine.notes.kinds.NOTEBOOK", "tests.engine.notes.kinds.NOTE"]
