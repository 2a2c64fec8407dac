"""Links into other systems: filled in with the call, every value encoded, only to https or a host that is allowed."""

import re
from dataclasses import replace
from html import unescape

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError

from contacts.links import CallValues, links_for
from contacts.models import LinkTemplate
from contacts.typed_numbers import Typed
from tests.factories import make_contact, make_user

pytestmark = pytest.mark.django_db

TEMPLATES = "/admin/contacts/linktemplate/"
CALL = CallValues(call_id=77, caller="+491711234567", number="+4922155400300")


class Match:
    def __init__(self, *contacts, kind="exact"):
        self.kind, self.contacts = kind, list(contacts)


def add(name="CRM", url="https://crm.example.com/?tel={caller}", **fields):
    template = LinkTemplate(name=name, url=url, **fields)
    template.full_clean()
    template.save()


def shown(match=None, call=CALL):
    return [(link.label, link.url) for link in links_for(match, call, LinkTemplate.objects.all())]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("caller", "%2B491711234567"),
        ("caller_national", "01711234567"),
        ("caller_digits", "491711234567"),
        ("number", "%2B4922155400300"),
        ("customer_number", "K%2F10%2001%26x%3D1"),
        ("name", "Anna%20M%C3%BCller%20%3Cb%3E"),
        ("call_id", "77"),
    ],
)
def test_each_value_is_encoded_for_an_address(place, value):
    add(url=f"https://crm.example.com/{{{place}}}?q={{{place}}}")
    contact = make_contact("Anna Müller <b>", customer_number="K/10 01&x=1")
    assert shown(Match(contact)) == [("CRM", f"https://crm.example.com/{value}?q={value}")]


def test_a_link_is_left_out_where_a_value_is_missing_or_leads_elsewhere():
    add("by number", "https://crm.example.com/{customer_number}/edit")
    add("by caller", "https://crm.example.com/?tel={caller}")
    add("by ticket", "https://crm.example.com/?ticket={ticket}")
    withheld = CallValues(call_id=1, caller="", number="+4922155400300")
    assert shown(call=withheld) == []
    assert [label for label, _url in shown(Match(make_contact(customer_number="..")))] == ["by caller"]


def test_a_link_is_shown_by_how_much_is_known():
    for kind in ("any", "exact", "company", "nobody"):
        add(kind, shown_when=kind)
    contact = make_contact()
    assert [label for label, _url in shown(Match(contact))] == ["any", "exact"]
    assert [label for label, _url in shown(Match(contact, kind="company"))] == ["any", "company"]
    assert [label for label, _url in shown()] == ["any", "nobody"]


def test_a_link_is_shown_where_something_was_typed_and_a_typed_contact_is_as_well_known_as_by_phone():
    for kind in ("any", "exact", "company", "nobody", "typed"):
        add(kind, shown_when=kind)
    order = replace(CALL, typed=[Typed("order", "Order", "2026", "")])
    assert [label for label, _url in shown(call=order)] == ["any", "nobody", "typed"]
    assert [label for label, _url in shown(Match(make_contact(), kind="typed"), order)] == ["any", "exact", "typed"]


def test_typed_numbers_fill_in_links_and_have_links_of_their_own_that_come_first():
    add("by ticket", "https://crm.example.com/?ticket={ticket}&order={order}")
    add("by customer", "https://crm.example.com/{customer_number}")
    call = replace(
        CALL,
        typed=[
            Typed("ticket", "Ticket", "A/4711 ?", "https://helpdesk.example.com/{value}?tel={caller_digits}"),
            Typed("ticket", "Old ticket", "12", ""),
            Typed("order", "Order", "..", "https://shop.example.com/{value}/edit"),
            Typed("order", "Order", "2026", "http://shop.example.com/{value}"),
            Typed("customer", "Customer", "K-9", ""),
        ],
    )
    own = ("Ticket", "https://helpdesk.example.com/A%2F4711%20%3F?tel=491711234567")
    assert shown(call=call) == [own, ("by customer", "https://crm.example.com/K-9")]
    of_contact = ("by customer", "https://crm.example.com/K-1")
    assert shown(Match(make_contact(customer_number="K-1")), call) == [own, of_contact]
    whole = replace(call, typed=[call.typed[0], call.typed[3]])
    filled = ("by ticket", "https://crm.example.com/?ticket=A%2F4711%20%3F&order=2026")
    assert shown(call=whole) == [own, filled]


def test_with_several_contacts_there_is_a_link_for_each_that_names_it():
    add("CRM", "https://crm.example.com/{customer_number}")
    add("Search", "https://crm.example.com/?tel={caller}")
    contacts = [make_contact(name, customer_number=name[:1]) for name in ("Anna", "Ben")]
    assert [label for label, _url in shown(Match(*contacts))] == ["CRM (Anna)", "CRM (Ben)", "Search"]


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example.com/?tel={caller}",
        "javascript:alert({caller})",
        "//crm.example.com/{caller}",
        "https:///{caller}",
        "https://{caller}.example.com/",
        "https://user@crm.example.com/{caller}",
        "https://crm.example.com/{caler}",
        "https://crm.example.com/{caller",
        "https://crm.example.com/ {caller}",
        "https://crm.example.com\\@evil.example/{caller}",
        "https://[crm/{caller}",
    ],
)
def test_other_addresses_are_refused(url):
    with pytest.raises(ValidationError):
        add(url=url)


def test_http_is_allowed_only_for_hosts_and_private_networks_of_the_setting(settings):
    settings.LINKS_HTTP_HOSTS = ["crm.intern", "10.0.0.0/8", "8.8.8.0/24"]
    add("host", "http://crm.intern:8080/?tel={caller}")
    add("network", "http://10.1.2.3/?tel={caller}")
    for url in ("http://8.8.8.8/{caller}", "http://11.1.2.3/{caller}", "http://x.crm.intern/{caller}"):
        with pytest.raises(ValidationError):
            add("refused", url)
    assert len(shown()) == 2

    settings.LINKS_HTTP_HOSTS = []
    assert shown() == []


def test_an_operator_tries_a_template_with_a_made_up_call(client):
    user = make_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="operator"))
    client.force_login(user)
    fields = {"name": "CRM", "shown_when": "any", "opens_in": "tab", "position": 1}
    refused = client.post(f"{TEMPLATES}add/", fields | {"url": "http://crm.example.com/{caller}"})
    assert "must begin with https://" in unescape(refused.content.decode())

    client.post(f"{TEMPLATES}add/", fields | {"url": "https://crm.example.com/?c={customer_number}&t={caller}"})
    page = client.get(f"{TEMPLATES}{LinkTemplate.objects.get().pk}/change/").content.decode()
    [link] = re.findall(r'<a href="(https://crm[^"]*)" target="([^"]*)"', page)
    assert (unescape(link[0]), link[1]) == (
        "https://crm.example.com/?c=K-1001&t=%2B492214710300",
        "calltally-links",
    )
