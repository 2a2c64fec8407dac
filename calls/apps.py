from importlib import import_module

from django.apps import AppConfig
from django.db import models
from django.utils.translation import gettext_lazy as _

from calls import lost_access
from calls.lookups import AnyOf


class CallsConfig(AppConfig):
    name = "calls"
    verbose_name = _("Calls")

    def ready(self) -> None:
        for field in (models.BigAutoField, models.ForeignKey):
            field.register_lookup(AnyOf)
        lost_access.connect()
        import_module("calls.audited_access").connect()
