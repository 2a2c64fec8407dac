"""The app of the admin with our own site: INSTALLED_APPS names it instead of `django.contrib.admin`."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class SiteConfig(AdminConfig):
    default_site = "accounts.admin_site.CalltallySite"
