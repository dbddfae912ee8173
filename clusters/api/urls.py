"""Under /api/v1/."""

from clusters.api import views
from core.api.routes import resource

urlpatterns = [*resource("clusters", views.ClusterViewSet, "cluster")]
