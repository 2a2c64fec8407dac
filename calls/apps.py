from importlib import import_module

from django.apps import AppConfig, apps
from django.db import models
from django.utils.translation import gettext_lazy as _

from calls.lookups import AnyOf


class CallsConfig(AppConfig):
    name = "calls"
    verbose_name = _("Calls")

    def ready(self) -> None:
        for field in (models.BigAutoField, models.ForeignKey):
            field.register_lookup(AnyOf)
        # Processes that have only the apps of posts or deliveries give no one access.
        if apps.is_installed("accounts"):
            import_module("calls.lost_access").connect()
            import_module("calls.audited_access").connect()
