"""Addresses of a viewset: by hand, so that every one can be found by reading. Ids are UUIDs or there is no such route."""

from typing import Any

from django.urls import URLPattern, path

from core.api.base import ApiViewSet

COLLECTION = {"get": "list", "post": "create"}
MEMBER = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}


def resource(address: str, viewset: type[ApiViewSet], name: str) -> list[URLPattern]:
    """`<address>` and `<address>/<id>`, with the methods of those actions that the viewset has rights for."""
    found = []
    for route, methods, suffix in ((address, COLLECTION, "list"), (f"{address}/<uuid:pk>", MEMBER, "detail")):
        served: dict[str, Any] = {method: action for method, action in methods.items() if action in viewset.rights}
        if served:
            found.append(path(route, viewset.as_view(served), name=f"{name}-{suffix}"))
    return found
