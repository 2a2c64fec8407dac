"""Forms of the admin report each error in one sentence: no rule has two messages, or a message with its own name."""

from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.validators import BaseValidator

from calls.admin.base import ReadOnlyAdmin
from calls.models import AccessKey, DestinationNumber, OpeningHours, SenderPolicy
from tests.factories import E164, make_key, make_number, make_staff, make_user

NUMBER = "/admin/calls/destinationnumber/add/"
HOURS = "/admin/calls/openinghours/add/"
SENDERS = "/admin/calls/senderpolicy/1/change/"
USER = "/admin/auth/user/add/"
GROUP = "/admin/auth/group/add/"
ISSUE = "/admin/calls/destinationnumber/keys/issue/?number="
OTHER = "+4930123456"
KEY = "a-key-that-stands-in-tenios"
REQUIRED = "This field is required."
CHOICE = "Select a valid choice. {} is not one of the available choices."
QUARTER = "Calls are counted by quarter-hour. Enter a time on the quarter-hour, such as 08:15."


class Errors(HTMLParser):
    """Collects the messages in the error lists of a page."""

    def __init__(self, page):
        super().__init__()
        self.said, self.in_list, self.in_item = [], False, False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "ul" and "errorlist" in (dict(attrs).get("class") or ""):
            self.in_list = True
        elif tag == "li" and self.in_list:
            self.in_item = True
            self.said.append("")

    def handle_endtag(self, tag):
        if tag == "ul":
            self.in_list = False
        elif tag == "li":
            self.in_item = False

    def handle_data(self, data):
        if self.in_item:
            self.said[-1] += data


def number(**answers):
    """Return address and fields of the form of a new number."""
    form = {"e164": OTHER, "label": "", "short_call_s": 5, "service_level_s": 20, "silent_after_h": 4}
    form |= dict.fromkeys(["call_start", "block_end", "initiate_forward", "forward_answer", "call_end"], "automatic")
    return NUMBER, form | {"access_keys-TOTAL_FORMS": 0, "access_keys-INITIAL_FORMS": 0} | answers


def hours(*, day=None, **answers):
    """Return address and fields of the form of new opening hours, with a single day if given."""
    form = {"name": "Other", "state": "", "days-TOTAL_FORMS": int(day is not None), "days-INITIAL_FORMS": 0}
    return HOURS, form | {f"days-0-{name}": text for name, text in (day or {}).items()} | answers


def week(written):
    return hours(weekday_1=written)


def day(**line):
    return hours(day={"day": "2026-12-24", "opens_at": "08:00", "closes_at": "12:00"} | line)


def senders(**answers):
    return SENDERS, {"networks": "192.0.2.1", "mode": "report"} | answers


def key(**answers):
    return ISSUE, {"access_key": "", "newest": "newest"} | answers


def user(**answers):
    password = "correct horse battery"
    form = {"username": "other", "usable_password": "true", "password1": password, "password2": password}
    return USER, form | answers


def at_most(characters, given):
    return f"Ensure this value has at most {characters} characters (it has {given})."


def between(least, most):
    return {
        f"{least - 1}": f"Ensure this value is greater than or equal to {least}.",
        f"{most + 1}": f"Ensure this value is less than or equal to {most}.",
        "-99999999999": f"Ensure this value is greater than or equal to {least}.",
        "99999999999": f"Ensure this value is less than or equal to {most}.",
        "1.5": "Enter a whole number.",
    }


ARRIVES = ("call_start", "block_end", "initiate_forward", "forward_answer", "call_end")
NO_NUMBER = "“{}” is not a phone number. Enter it in the form 0221 4710300 or +49 221 4710300."
BOTH_TIMES = "Enter both times, or leave both blank if closed all day."
EARLY_IN_WEEK = "08:00 is not later than 12:00. Hours past midnight go on in the field of the next day."
EARLY = "08:00 is not later than 12:00. For hours past midnight, enter two lines."
TENIOS = "Enter at least one address. TENIOS sends from 80.239.139.193."
NUL = "Null characters are not allowed."

# (rule, form, message): every rule of a model that a form can violate, and each way to violate it.
CASES = [
    ("DestinationNumber.destination_number_is_e164", number(e164="no number at all, but long"), None),
    ("DestinationNumber.e164 validate_e164", number(e164="Hotline"), NO_NUMBER.format("Hotline")),
    ("DestinationNumber.e164 max_length", number(e164="+49" + "2" * 40), None),
    ("DestinationNumber.e164 max_length", number(e164="x" * 120), None),
    ("DestinationNumber.e164 unique", number(e164="0221 55400300"), "This number already exists."),
    ("DestinationNumber.e164 required", number(e164=""), REQUIRED),
    ("DestinationNumber.label max_length", number(label="x" * 101), at_most(100, 101)),
    ("DestinationNumber.label max_length", number(label="x\0"), NUL),
    ("DestinationNumber.customer_number max_length", number(customer_number="1" * 41), at_most(40, 41)),
    *((f"DestinationNumber.{name} choice", number(**{name: "never"}), CHOICE.format("never")) for name in ARRIVES),
    *((f"DestinationNumber.{name} required", number(**{name: ""}), REQUIRED) for name in ARRIVES),
    *(
        (f"DestinationNumber.{name} limits", number(**{name: given}), said)
        for name, limits in {
            "short_call_s": (0, 3600),
            "service_level_s": (1, 3600),
            "silent_after_h": (1, 168),
            "service_level_aim": (1, 100),
        }.items()
        for given, said in between(*limits).items()
    ),
    *(
        (f"DestinationNumber.{name} required", number(**{name: ""}), REQUIRED)
        for name in ("short_call_s", "service_level_s", "silent_after_h")
    ),
    *(
        ("DestinationNumber.destination_number_silent_after", number(silent_after_h=given), said)
        for given, said in between(1, 168).items()
    ),
    (
        "DestinationNumber.opening_hours choice",
        number(opening_hours=99),
        "Select a valid choice. That choice is not one of the available choices.",
    ),
    ("OpeningHours.name unique", hours(name="Office hours"), "Opening hours with this name already exist."),
    ("OpeningHours.name required", hours(name=" "), REQUIRED),
    ("OpeningHours.name max_length", hours(name="x" * 101), at_most(100, 101)),
    ("OpeningHours.state choice", hours(state="XX"), CHOICE.format("XX")),
    ("week in order", week("12:00–08:00"), EARLY_IN_WEEK),
    ("week in order", week("12–12"), None),
    ("week hours", week("8"), "“8” is not a time from and to. Write for example 08:00–12:00, 13:00–18:00."),
    ("week time", week("8–late"), "“late” is not a time. Write for example 08:00."),
    ("week quarter-hour", week("08:10–12:00"), QUARTER),
    ("week entered twice", week("8–12, 10–11"), "10:00 to 11:00 is entered twice."),
    ("week max_length", week("8-9, " * 50), "Enter at most 200 characters."),
    ("SingleDay.single_day_in_order", day(opens_at="12:00", closes_at="08:00"), EARLY),
    ("SingleDay.single_day_in_order", day(closes_at=""), BOTH_TIMES),
    ("SingleDay.single_day_in_order", day(opens_at=""), BOTH_TIMES),
    ("SingleDay.day required", day(day=""), REQUIRED),
    ("SingleDay.day required", day(day="Christmas"), "Enter a valid date."),
    ("SingleDay.opens_at validate_quarter_hour", day(opens_at="08:10"), QUARTER),
    ("SingleDay.closes_at validate_quarter_hour", day(closes_at="12:10"), QUARTER),
    ("SingleDay.note max_length", day(note="x" * 101), at_most(100, 101)),
    ("SenderPolicy.sender_policy_is_one", senders(networks="# nobody"), TENIOS),
    (
        "SenderPolicy.networks validate_networks",
        senders(networks="192.0.2.300"),
        "'192.0.2.300' is not an address or a network such as 192.0.2.0/24 or 2001:db8::/32.",
    ),
    ("SenderPolicy.networks required", senders(networks=""), REQUIRED),
    ("SenderPolicy.mode choice", senders(mode="never"), CHOICE.format("never")),
    ("SenderPolicy.mode required", senders(mode=""), REQUIRED),
    (
        "AccessKey.access_key_once_per_number",
        key(access_key=KEY),
        "+49 221 55400300 already has this key (active). Use another key or create a new one.",
    ),
    ("AccessKey.valid_from required", key(valid_from_0="soon", valid_from_1="08:00"), "Enter a valid date."),
    ("AccessKey.valid_from required", key(valid_from_0="2026-12-24", valid_from_1="8 h"), "Enter a valid time."),
    ("User.username unique", user(username="somebody"), "A user with that username already exists."),
    ("User.username max_length", user(username="x" * 151), at_most(150, 151)),
    ("User.username required", user(username=""), REQUIRED),
    (
        "User.username UnicodeUsernameValidator",
        user(username="two words"),
        "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
    ),
    ("Group.name unique", (GROUP, {"name": "Managers"}), "Group with this Name already exists."),
    ("Group.name max_length", (GROUP, {"name": "x" * 151}), at_most(150, 151)),
    ("Group.name required", (GROUP, {"name": ""}), REQUIRED),
]


@pytest.fixture
def staff(client, db):
    client.force_login(make_staff())
    make_key(make_number(E164), KEY)
    OpeningHours.objects.create(name="Office hours")
    SenderPolicy.objects.create(pk=1)
    Group.objects.create(name="Managers")
    make_user("somebody")
    return client


@pytest.mark.parametrize(("rule", "form", "said"), CASES)
def test_input_that_violates_a_rule_is_refused_with_one_message(staff, rule, form, said):
    address, answers = form
    if address == ISSUE:
        address += str(DestinationNumber.objects.get().pk)
        answers = answers | {"newest": AccessKey.objects.get().pk}

    page = staff.post(address, answers).content.decode()

    errors = Errors(page).said
    assert len(errors) == 1, errors
    assert "onstraint" not in page
    if said is not None:
        assert errors == [said]
    assert errors[0].endswith(".")


def models_of_forms():
    """Yield the models of calls that have a form in the admin."""
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "calls" and not isinstance(model_admin, ReadOnlyAdmin):
            yield model
            yield from (inline.model for inline in model_admin.inlines)


def rules_of(model):
    """Yield the name of each rule of a model for values that people enter."""
    yield from (f"{model.__name__}.{constraint.name}" for constraint in model._meta.constraints)
    for field in model._meta.concrete_fields:
        if not field.editable or field.primary_key or (field.remote_field and field.remote_field.parent_link):
            continue
        name = f"{model.__name__}.{field.name}"
        if (field.name == "opening_hours" and model is not DestinationNumber) or field.name == "destination_number":
            continue  # set by the page, not entered by people
        if field.unique:
            yield f"{name} unique"
        if field.max_length and not field.choices:
            yield f"{name} max_length"
        if field.choices or field.remote_field:
            yield f"{name} choice"
        if not field.blank and field.get_internal_type() != "BooleanField":
            yield f"{name} required"
        for validator in field._validators:
            is_limit = isinstance(validator, BaseValidator)
            yield f"{name} limits" if is_limit else f"{name} {getattr(validator, '__name__', type(validator).__name__)}"


def test_every_rule_that_a_form_can_violate_has_a_case():
    tried = {rule for rule, _form, _said in CASES}
    assert not {rule for model in models_of_forms() for rule in rules_of(model)} - tried


def test_every_constraint_that_a_form_can_violate_has_its_own_message():
    lacking = [
        constraint.name
        for model in models_of_forms()
        for constraint in model._meta.constraints
        if constraint.violation_error_message == constraint.default_violation_error_message
    ]
    assert not lacking
