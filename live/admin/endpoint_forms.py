"""Forms of endpoints: one for each format, which asks only for what that format needs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from calls.models import DestinationNumber
from contacts import links, lookup_format
from live import endpoint_rights, endpoint_secrets
from live.dispatch import formats, stored
from live.models import CallerShown, Endpoint, EventType, Format
from live.models.endpoints import validate_address

WHERE = {
    Format.WEBHOOK: _("The address at which your system receives events, such as https://erp.example.com/calltally."),
    Format.ZAMMAD: _(
        "In Zammad under Admin › System › Integrations › CTI (generic), switched on: the address under Endpoint, such "
        "as https://zammad.example.com/api/v1/cti/TOKEN. Copy all of it: the end is its key."
    ),
    Format.SIPGATE: _(
        "The address that your system shows for sipgate.io, there often called URL for incoming calls or webhook URL."
    ),
    Format.PLACETEL: _("The address that your system shows for Placetel, there often called Notify URL or webhook."),
}
MEANT_FOR = {
    Format.WEBHOOK: _("A system that you program or set up yourself. It gets each event as JSON, also if it was away."),
    Format.ZAMMAD: _("Calls pop up in Zammad while they ring, and are listed in its caller log."),
    Format.SIPGATE: _("A system with a connection for sipgate.io, such as many CRM systems. Calls pop up."),
    Format.PLACETEL: _("A system with a connection for Placetel. Calls pop up."),
}
WHOLE_MEANS = _(
    "Whole: the system gets the caller's number, the contact that Calltally knows, and what the caller typed. All "
    "formats contain the destination and the names of the people there. You can choose only what you may see yourself."
)


class EndpointForm(forms.ModelForm):
    """An endpoint of one format. Address and secret are entered and replaced, and never shown."""

    editor: Any
    endpoint_format: str

    address = forms.CharField(
        max_length=links.LONGEST_ADDRESS, widget=forms.TextInput(attrs={"class": "vLargeTextField", "size": 80})
    )
    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=EventType.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=list(EventType.values),
    )
    caller = forms.ChoiceField(
        label=_("Of the caller it gets"), widget=forms.RadioSelect, help_text=WHOLE_MEANS, initial=CallerShown.WHOLE
    )
    secret = forms.CharField(
        label=_("Secret"),
        required=False,
        max_length=2000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "vTextField"}),
    )

    class Meta:
        model = Endpoint
        fields = ("name", "rows", "all_numbers", "numbers", "caller", "events")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before: Endpoint | None = Endpoint.objects.get(pk=self.instance.pk) if self.instance.pk else None
        self.numbers_before = set(self.before.numbers.all()) if self.before else set()
        self.instance.format = self.endpoint_format
        self._keep_fields_of_format()
        self._word_address()
        numbers: Any = self.fields.get("numbers")
        if numbers:
            numbers.queryset = self._numbers()

    def _keep_fields_of_format(self) -> None:
        has_rows = formats.of(self.endpoint_format).has_rows
        for name in ("events",) if has_rows else ("rows",):
            self.fields.pop(name, None)
        if self.endpoint_format != Format.PLACETEL:
            self.fields.pop("secret", None)
        elif "secret" in self.fields:
            said = _("Blank: as it is.") if self.before else _("The key that both systems know. Blank: one is created.")
            self.fields["secret"].help_text = said
        caller: Any = self.fields.get("caller")
        if caller:
            caller.choices = [
                choice
                for choice in CallerShown.choices
                if self.endpoint_format == Format.WEBHOOK or choice[0] != CallerShown.MASKED
            ]

    def _word_address(self) -> None:
        field = self.fields.get("address")
        if field is None:
            return
        where = WHERE[Format(self.endpoint_format)]
        if self.before is None:
            field.label, field.help_text = _("Address"), where
        else:
            blank = gettext("Blank: as it is. %(where)s") % {"where": where}
            field.label, field.help_text, field.required = _("New address"), blank, False

    def _numbers(self) -> QuerySet[DestinationNumber]:
        return DestinationNumber.objects.visible_to(self.editor).order_by("search_key", "e164")

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"].strip()
        if address:
            validate_address(address)
        return address

    def clean_secret(self) -> str:
        secret: str = self.cleaned_data["secret"]
        if not (secret.isascii() and secret.isprintable()):
            raise forms.ValidationError(gettext("Enter letters, digits and signs without accents, in one line."))
        return secret

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if address := cleaned.get("address"):
            self.instance.url = address
        caller, all_numbers = cleaned.get("caller"), cleaned.get("all_numbers", True)
        numbers = [] if all_numbers else list(cleaned.get("numbers") or [])
        if not all_numbers and not numbers and "numbers" not in self.errors:
            self.add_error("numbers", gettext("Choose at least one number, or all."))
        elif caller:
            self._check_rights(caller, all_numbers, numbers)
        return cleaned

    def _check_rights(self, caller: str, all_numbers: bool, numbers: list[DestinationNumber]) -> None:
        if endpoint_rights.may_send(self.editor, caller, all_numbers=all_numbers, numbers=numbers):
            return
        if endpoint_rights.may_send(self.editor, CallerShown.NONE, all_numbers=all_numbers, numbers=numbers):
            text = gettext(
                "You may not see whole callers of all these numbers, so the system cannot get them from you."
            )
            self.add_error("caller", text)
            return
        text = gettext("You need the rights to single calls and to destinations of each of these numbers.")
        self.add_error("all_numbers" if all_numbers else "numbers", text)

    @property
    def is_elsewhere(self) -> bool:
        """Whether another host is sent to than before."""
        before = self.before
        return before is not None and lookup_format.origin(before.url) != lookup_format.origin(self.instance.url)

    @property
    def is_narrower(self) -> bool:
        """Whether the system gets less than before: of the caller, or of fewer numbers."""
        if self.before is None:
            return False
        if stored.gets_less(self.before.caller, self.instance.caller):
            return True
        if self.instance.all_numbers:
            return False
        return self.before.all_numbers or bool(self.numbers_before - set(self.cleaned_data["numbers"]))

    def save(self, commit: bool = True) -> Any:
        if formats.of(self.endpoint_format).is_signed:
            self._set_secret(self.cleaned_data.get("secret") or "")
        if self.cleaned_data.get("address"):
            stored.forget_failures(self.instance)
        return super().save(commit)

    def _set_secret(self, entered: str) -> None:
        """Take the entered secret, or make one where there is none yet or another host would learn what it signs."""
        if entered:
            endpoint_secrets.replace(self.instance, entered, overlaps=False)
        elif self.before is None or self.is_elsewhere or not self.instance.secret_encrypted:
            self.instance.made_secret = endpoint_secrets.new_secret(self.endpoint_format)
            endpoint_secrets.replace(self.instance, self.instance.made_secret, overlaps=False)


class SwitchOnForm(forms.Form):
    """Asks what happens to deliveries that waited while the endpoint was off."""

    waiting = forms.ChoiceField(
        label=_("What waited"),
        widget=forms.RadioSelect,
        choices=[("send", _("is sent now")), ("drop", _("is not sent"))],
        initial="send",
    )


class ResendForm(forms.Form):
    """Asks since when failed deliveries are sent again."""

    since = forms.DateTimeField(
        label=_("Failed since"),
        widget=forms.DateTimeInput(attrs={"class": "vTextField"}, format="%Y-%m-%d %H:%M"),
        help_text=_("Day and time, such as 2026-03-29 14:30, in the time zone of the reports."),
    )

    def clean_since(self) -> Any:
        since = self.cleaned_data["since"]
        if since > timezone.now():
            raise forms.ValidationError(gettext("Enter a moment in the past."))
        return since
