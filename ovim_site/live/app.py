"""`uvicorn ovim_site.live.app:app`: Django is set up before anything of it is imported."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ovim_site.settings")
django.setup()

from ovim_site.live.server import app  # noqa: E402

__all__ = ["app"]
