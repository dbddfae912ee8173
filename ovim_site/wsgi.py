"""The web process: pages and API, under WSGI (facts/libraries §5: sync Django under ASGI costs several times more)."""

import os

from django.core.wsgi import get_wsgi_application

from ovim_site import memory

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ovim_site.settings")
application = get_wsgi_application()
memory.settle()
