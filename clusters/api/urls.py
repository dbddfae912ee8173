"""Under /api/v1/."""

from django.urls import path

from clusters.api import orphans
from clusters.api.views import ClusterViewSet
from core.api.routes import resource

VERBS = {"access": ("put", "renew_access"), "check": ("post", "check"), "drain": ("post", "drain"),
         "forget": ("post", "forget")}  # fmt: skip
urlpatterns = [
    *resource("clusters", ClusterViewSet, "cluster"),
    *(
        path(f"clusters/<uuid:pk>/{name}", ClusterViewSet.as_view({method: action}), name=f"cluster-{name}")
        for name, (method, action) in VERBS.items()
    ),
    path("clusters/<uuid:pk>/audit", orphans.AuditView.as_view(), name="cluster-audit"),
    *resource("orphans", orphans.OrphanViewSet, "orphan"),
]
