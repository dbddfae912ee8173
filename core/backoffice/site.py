"""The admin's site: behind OVIM's own sign-in, for system admins only. Others are told that there is nothing (404)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.contrib.admin import AdminSite
from django.db.models import Model
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, include, path, re_path

from core import access
from core.actor import Actor
from core.errors import Forbidden
from core.rights import Right


def actor_of(request: HttpRequest) -> Actor:
    """Who is signed in. `core.enforce` has let nobody else in."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


class Site(AdminSite):
    """Its routes declare their right like every other page's; nothing of Django's own sign-in is left."""

    site_header = site_title = "OVIM administration"
    index_title = "What OVIM holds"

    def has_permission(self, request: HttpRequest) -> bool:
        actor: Actor | None = getattr(request, "actor", None)
        if actor is None:
            return False
        try:
            access.require_system(actor, Right.ADMIN_OPEN)
        except Forbidden:
            return False
        return True

    @property
    def models(self) -> Mapping[type[Model], Any]:
        """Every model that has pages here."""
        return self._registry

    def get_urls(self) -> list[Any]:
        """The stock pages that are left: no second sign-in, no password form, no autocomplete over everything."""
        labels = sorted({model._meta.app_label for model in self._registry})
        routes: list[Any] = [
            path("", self.admin_view(self.index), name="index"),
            path("jsi18n/", self.admin_view(self.i18n_javascript, cacheable=True), name="jsi18n"),
            *(
                path(f"{model._meta.app_label}/{model._meta.model_name}/", include(model_admin.urls))
                for model, model_admin in self._registry.items()
            ),
            re_path(f"^(?P<app_label>{'|'.join(labels)})/$", self.admin_view(self.app_index), name="app_list"),
        ]
        for pattern in _patterns(routes):
            pattern.callback.right = Right.ADMIN_OPEN  # type: ignore[attr-defined]
            pattern.callback.hidden = True  # type: ignore[attr-defined]
        return routes


def _patterns(routes: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for route in routes:
        if isinstance(route, URLResolver):
            yield from _patterns(route.url_patterns)
        else:
            yield route
