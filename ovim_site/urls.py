"""Every address there is."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from core.enforce import PUBLIC
from ovim_site import docs, health, metrics


class SchemaView(SpectacularAPIView):
    """The OpenAPI document, for everybody: it is in the source tree anyway."""

    authentication_classes = ()
    right = PUBLIC
    schema = None


admin.autodiscover()
API = [
    path("", include("tenancy.api.urls")),
    path("", include("vdcs.api.urls")),
    path("", include("catalogs.api.urls")),
    path("", include("vms.api.urls")),
    path("", include("clusters.api.urls")),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", metrics.exposition, name="metrics"),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", docs.reference, name="api-docs"),
    path("api/v1/", include(API)),
    path("admin/", admin.site.urls),
    path("", include("ovim_site.portal.urls")),
    path("", include("clusters.urls")),
    path("", include("tenancy.urls")),
    path("", include("vdcs.urls")),
    path("", include("catalogs.urls")),
    path("", include("vms.urls")),
]
handler404 = "ovim_site.errors.page_not_found"
handler500 = "ovim_site.errors.server_error"
