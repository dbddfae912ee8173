"""Pages of no single app."""

from django.urls import path

from ovim_site.portal import overview, place, preferences, search, views

urlpatterns = [
    path("", overview.start, name="start"),
    path("search/", search.search, name="search"),
    path("place/", place.switch, name="place"),
    path("settings/", preferences.settings_page, name="settings"),
    path("preferences/", preferences.choose, name="preferences"),
    path("views/", views.save_view, name="view-save"),
    path("views/<uuid:pk>/remove/", views.remove_view, name="view-remove"),
]
