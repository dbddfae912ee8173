"""Pages of tenancy."""

from django.urls import path

from tenancy import directory, views

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("orgs/", directory.organization_list, name="organization-list"),
    path("people/", directory.user_list, name="user-list"),
    path("people/<uuid:pk>/", directory.user_detail, name="user-detail"),
    path("activity/", directory.audit_list, name="audit-list"),
    path("activity/<uuid:pk>/", directory.audit_detail, name="audit-detail"),
]
