"""The web process: pages and API, under WSGI (facts/libraries §5: sync Django under ASGI costs several times more)."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ovim_site.settings")
application = get_wsgi_application()

# What is loaded now stays for good: keep the collector from walking it again (facts/speed.md, tail).
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 20, 20)
