"""What the forms share in which people choose a password of their own."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import SetPasswordMixin
from django.utils.translation import gettext_lazy as _

LABELS = {"old_password": _("Current password"), "new_password2": _("Repeat the new password")}
ERRORS: dict[str, Any] = {
    "password_incorrect": _("The current password is wrong. Enter it again."),
    "password_mismatch": _("This is not the same password. Enter the new one twice."),
}


class RepeatedPassword(SetPasswordMixin):
    """A form with a new password and its repetition. What is wrong with the password is said at the first of them."""

    fields: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.error_messages = {**self.error_messages, **ERRORS}
        for name in LABELS.keys() & self.fields.keys():
            self.fields[name].label = LABELS[name]
        self.fields["new_password2"].help_text = ""

    def validate_password_for_user(self, user: Any, password_field_name: str = "") -> None:
        super().validate_password_for_user(user, "new_password1")
