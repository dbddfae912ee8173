"""Pages of no single app."""

from django.urls import path

from ovim_site.portal import drift, overview, place, preferences, search, views

urlpatterns = [
    path("", overview.start, name="start"),
    path("search/", search.search, name="search"),
    path("drift/", drift.everything, name="drift"),
    path("vms/<uuid:pk>/drift/", drift.of_vm, name="vm-drift"),
    path("vdcs/<uuid:pk>/drift/", drift.of_vdc, name="vdc-drift"),
    path("orgs/<uuid:pk>/drift/", drift.of_organization, name="organization-drift"),
    path("place/", place.switch, name="place"),
    path("settings/", preferences.settings_page, name="settings"),
    path("preferences/", preferences.choose, name="preferences"),
    path("views/", views.save_view, name="view-save"),
    path("views/<uuid:pk>/remove/", views.remove_view, name="view-remove"),
]
