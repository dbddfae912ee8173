"""Where a form leads to when it is done."""

from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def target(request: HttpRequest) -> str:
    """`next` of the form or the address, if that is here; else the start page."""
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    hosts = {request.get_host()}
    return wanted if url_has_allowed_host_and_scheme(wanted, hosts, require_https=request.is_secure()) else "/"


def came_from(request: HttpRequest) -> str:
    """The page from which a link or a form was used, if it is ours: path and query. Else the start page."""
    found = urlsplit(request.headers.get("Referer", ""))
    if found.netloc != request.get_host():
        return "/"
    return f"{found.path}?{found.query}" if found.query else found.path or "/"
