"""The JSON of a contact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from calls import phones
from contacts.importing import Number, read_number
from contacts.importing.rows import MOST_NUMBERS, web_address
from contacts.importing.texts import cleaned
from contacts.models import Contact
from contacts.models.contacts import LONGEST, LONGEST_LABEL

LONGEST_WRITTEN_NUMBER = 100


class KnownFields(serializers.Serializer[Any]):
    """Refuses fields that it does not know: with a typing error in a name, a contact would lose that field."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := [str(name)[:100] for name in data if name not in self.fields]):
            message = _("There is no such field. There are: %(names)s.") % {"names": ", ".join(self.fields)}
            raise serializers.ValidationError({name: [message] for name in unknown})
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A text that the database takes. null is blank."""

    def __init__(self, max_length: int) -> None:
        super().__init__(max_length=max_length, allow_blank=True, allow_null=True, default="")

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(cleaned(data) if isinstance(data, str) else data) or ""


class NumberSerializer(KnownFields):
    """A number in any spelling: as a text, or as an object."""

    number = serializers.CharField(max_length=LONGEST_WRITTEN_NUMBER)
    has_extensions = serializers.BooleanField(default=False)
    # Named so in the JSON; a field's own label is something else.
    label = Text(max_length=LONGEST_LABEL)  # type: ignore[assignment]

    def to_internal_value(self, data: Any) -> Number:
        values = super().to_internal_value({"number": data} if isinstance(data, str | int) else data)
        try:
            e164, has_extensions = read_number(values["number"], has_extensions=values["has_extensions"])
        except phones.NotANumber as error:
            raise serializers.ValidationError({"number": [str(error)]}) from None
        return Number(e164, has_extensions, values["label"])


class ContactSerializer(KnownFields):
    """A whole contact: what is left out is blank."""

    name = Text(max_length=LONGEST["name"])
    company = Text(max_length=LONGEST["company"])
    url = Text(max_length=LONGEST["url"])
    note = Text(max_length=LONGEST["note"])
    customer_number = Text(max_length=LONGEST["customer_number"])
    important = serializers.BooleanField(default=False)
    numbers = serializers.ListField(child=NumberSerializer(), default=list, max_length=MOST_NUMBERS)

    def validate_url(self, value: str) -> str:
        return web_address(value) if value else ""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs["name"] and not attrs["company"]:
            raise serializers.ValidationError({"name": [_("Enter a name or a company.")]})
        return attrs


def as_json(contact: Contact) -> dict[str, Any]:
    """Return a contact as it is stored."""
    numbers = contact.numbers.values("e164", "has_extensions", "label")
    fields = ("name", "company", "url", "note", "customer_number", "important")
    return {
        "source": contact.source,
        "id": contact.external_id,
        **{field: getattr(contact, field) for field in fields},
        "numbers": [
            {"number": one["e164"], "has_extensions": one["has_extensions"], "label": one["label"]} for one in numbers
        ],
    }
