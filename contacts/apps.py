from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ContactsConfig(AppConfig):
    name = "contacts"
    verbose_name = _("Contacts and agents")

    def ready(self) -> None:
        # They need the models of all apps, which are there only now.
        masking, typed_numbers = import_module("calls.masking"), import_module("contacts.typed_numbers")
        masking.further_variables.append(typed_numbers.variables_of)
