"""Removes and disguises what a person has no right to see, so that tests can compare what they see before and after."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import F, ForeignKey, Value
from django.db.models.functions import Replace

from calls.models import Call, CallEvent, DestinationNumber, RefusedPost

COLUMNS_OF_CALLERS = ("caller_id_number", "caller_least", "caller_greatest")
COLUMNS_OF_DESTINATIONS = ("destination", "first_destination")


def forget(number: DestinationNumber) -> None:
    """Delete a number and all that is stored of it."""
    forget_calls(number, keep=0)
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, ForeignKey) and field.related_model is DestinationNumber:
                model._base_manager.filter(**{field.name: number}).delete()
    RefusedPost.objects.filter(destination_number=number.e164).delete()
    type_of_numbers = ContentType.objects.get_for_model(DestinationNumber)
    LogEntry.objects.filter(content_type=type_of_numbers, object_id=str(number.pk)).delete()
    number.delete()


def forget_calls(number: DestinationNumber, keep: int = 1) -> None:
    """Delete the calls of a number, but not their counts. The newest says when the number was last called."""
    newest = (
        Call.objects.filter(destination_number=number).order_by("-first_post_at", "-pk").values_list("pk", flat=True)
    )
    calls = Call.objects.filter(destination_number=number).exclude(pk__in=list(newest[:keep]))
    CallEvent.objects.filter(call__in=calls).delete()
    calls.delete()


def disguise_callers(number: DestinationNumber) -> None:
    """Change the last three digits of every caller of a number, which are masked."""
    callers = Call.objects.filter(destination_number=number).values_list("caller_id_number", flat=True)
    for caller in sorted({*callers} - {""}):
        other = caller[:-3] + _turned(caller[-3:])
        for model, of_number in ((Call, "destination_number"), (CallEvent, "call__destination_number")):
            _replace(model, {of_number: number}, COLUMNS_OF_CALLERS, caller, other)
        RefusedPost.objects.filter(destination_number=number.e164).update(
            body=_replaced("body", f'"{caller}"', f'"{other}"')
        )


def disguise_destinations(number: DestinationNumber) -> None:
    """Change the last digit of every destination that calls of a number were forwarded to."""
    events = CallEvent.objects.filter(call__destination_number=number)
    for destination in sorted({*events.values_list("destination", flat=True)} - {""}):
        other = destination[:-1] + _turned(destination[-1:])
        _replace(CallEvent, {"call__destination_number": number}, COLUMNS_OF_DESTINATIONS, destination, other)
        for model in apps.get_app_config("reports").get_models():
            _replace(model, {"destination_number": number}, COLUMNS_OF_DESTINATIONS, destination, other)


def _replace(model: Any, condition: dict[str, Any], columns: Iterable[str], text: str, other: str) -> None:
    """Replace a text in columns of a table, and in payloads where it is a value by itself."""
    names = {field.name for field in model._meta.get_fields()}
    changes = {name: _replaced(name, text, other) for name in columns if name in names}
    if changes and "payload" in names:
        changes["payload"] = _replaced("payload", f'"{text}"', f'"{other}"')
    if changes:
        rows = model._default_manager.filter(**condition).values("pk")
        model._default_manager.filter(pk__in=rows).update(**changes)


def _replaced(column: str, text: str, other: str) -> Replace:
    return Replace(F(column), Value(text), Value(other))


def _turned(digits: str) -> str:
    return "".join(str(9 - int(digit)) if digit.isdigit() else digit for digit in digits)
