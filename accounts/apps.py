from importlib import import_module

from allauth.account.signals import authentication_step_completed
from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import pre_delete
from django.utils.translation import gettext_lazy as _

from accounts import devices, given_passwords, history, lost_rights, sessions


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        pre_delete.connect(history.protect_history, sender="auth.User", dispatch_uid="accounts.history")
        user_logged_in.connect(devices.note_sign_in, dispatch_uid="accounts.devices")
        user_logged_in.connect(given_passwords.note_sign_in, dispatch_uid="accounts.given_passwords")
        user_logged_in.connect(sessions.note_sign_in, dispatch_uid="accounts.sessions")
        user_logged_out.connect(sessions.note_sign_out, dispatch_uid="accounts.sessions")
        authentication_step_completed.connect(sessions.note_confirmed, dispatch_uid="accounts.sessions")
        lost_rights.connect()
        import_module("accounts.audit.people").connect()
