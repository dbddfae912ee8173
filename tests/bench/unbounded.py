"""The web server without the second line. Every policy it meets says yes to everything."""

import os
from collections.abc import Callable, Iterable
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.bench.unbounded_settings"

from ovim_site.wsgi import application as served  # the settings first


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    if environ["PATH_INFO"] == "/ready":
        environ["PATH_INFO"] = "/healthz"
    answer: Iterable[bytes] = served(environ, start_response)
    return answer
