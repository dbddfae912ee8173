"""Pages of catalogs."""

from django.urls import path

from catalogs import views

urlpatterns = [
    path("catalog/", views.catalog, name="catalog"),
    path("catalog/<uuid:pk>/", views.item, name="catalog-item"),
]
