"""Where a form leads to when it is done."""

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def target(request: HttpRequest) -> str:
    """`next` of the form or the address, if that is here; else the start page."""
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    hosts = {request.get_host()}
    return wanted if url_has_allowed_host_and_scheme(wanted, hosts, require_https=request.is_secure()) else "/"
