"""The Django admin as an app: with our own site, loaded by the web server's urls alone, not by workers."""

from django.contrib.admin.apps import SimpleAdminConfig


class Administration(SimpleAdminConfig):
    default_site = "core.backoffice.site.Site"
