"""Labels, names and people are found and ordered by folded texts, independent of the database's locale."""

import io
import re
from html import unescape

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat

from accounts.folding import fold, search_key, spell_out
from calls.models import DestinationNumber, OpeningHours
from tests.factories import make_key, make_number, make_staff, make_user

NUMBERS = "/admin/calls/destinationnumber/"
KEYS = "/admin/calls/accesskey/"
HOURS = "/admin/calls/openinghours/"
USERS = "/admin/auth/user/"
GROUPS = "/admin/auth/group/"

# As DIN 5007-1 orders them.
IN_ORDER = (
    *("123", "Adler", "Äpfel", "apfelmus", "Ärzte", "Azubis", "École", "Łódź", "Muller", "Müller"),
    *("Österreich", "Straße", "Strassenbahn", "Zentrale"),
)


@pytest.fixture
def staff(client, db):
    client.force_login(make_staff())
    return client


def listed(client, address, column, **query):
    """Return the texts of a column in a list of the admin, from top to bottom."""
    page = client.get(address, query)
    assert page.status_code == 200
    table = re.search(r'<table id="result_list">.*</table>', page.content.decode(), re.DOTALL)
    cells = re.findall(rf'<t[dh] class="field-{column}[^"]*">(.*?)</t[dh]>', table[0] if table else "")
    return [unescape(re.sub(r"<[^>]+>", "", cell)) for cell in cells]


def make_all(texts=IN_ORDER):
    """Create a number, hours, a user and a group of each name, not in the correct order."""
    for at, text in enumerate(sorted(texts, key=len)):
        make_number(f"+49221554003{at:02}", label=text)
        OpeningHours.objects.create(name=text)
        make_user(text)
        Group.objects.create(name=text)


# --- The function ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "folded", "spelled_out"),
    [
        ("Ölservice", "olservice", "oelservice"),
        ("O\u0308LSERVICE", "olservice", "oelservice"),  # a letter with a combining mark
        ("  Hotline\u00a0 Köln ", "hotline koln", "hotline koeln"),
        ("Straße", "strasse", "strasse"),
        ("STRASSE", "strasse", "strasse"),
        ("Ångström Łódź Œuvre", "angstrom lodz oeuvre", "angstroem lodz oeuvre"),
        ("ﬁliale", "filiale", "filiale"),
        ("Not\u00addienst", "notdienst", "notdienst"),
        ("İstanbul", "istanbul", "istanbul"),
        ("Ελλάδα", "ελλαδα", "ελλαδα"),
        ("", "", ""),
    ],
)
def test_a_text_is_folded_and_spelled_out(text, folded, spelled_out):
    assert (fold(text), spell_out(text)) == (folded, spelled_out)
    assert search_key(text) == "\n".join(dict.fromkeys([folded, spelled_out]))
    assert (fold(folded), spell_out(spelled_out)) == (folded, spelled_out)


def test_keys_sort_as_defined_by_din_5007():
    assert tuple(sorted(set(IN_ORDER), key=search_key)) == IN_ORDER


# --- Search ----------------------------------------------------------------------------------------

FOUND = [
    ("Ölservice", "ölservice"),
    ("Ölservice", "ÖLSERVICE"),
    ("Ölservice", "olservice"),
    ("Ölservice", "oelserv"),
    ("Oelservice", "Ölservice"),
    ("Hotline Köln", "KÖLN"),
    ("Hotline Köln", "koeln hotline"),
    ("Hotline Köln", "HOTLINE KÖLN"),
    ("Straße der Republik", "STRASSE"),
    ("Strasse der Republik", "straße"),
    ("Café", "CAFE"),
    ("100 % frisch", "%"),
]


@pytest.mark.parametrize(("text", "term"), FOUND)
def test_texts_are_found_in_any_case_with_or_without_diacritics(staff, text, term):
    number = make_number(label=text)
    make_key(number)
    OpeningHours.objects.create(name=text)
    make_user("somebody", last_name=text)
    Group.objects.create(name=text)
    make_key(make_number("+4930123456", label="Shop"))
    OpeningHours.objects.create(name="Shop")
    Group.objects.create(name="Shop")

    assert listed(staff, NUMBERS, "name", q=term) == [text]
    assert listed(staff, KEYS, "destination_number", q=term) == [str(number)]
    assert listed(staff, HOURS, "named", q=term) == [text]
    assert listed(staff, USERS, "last_name", q=term) == [text]
    assert listed(staff, GROUPS, "__str__", q=term) == [text]


@pytest.mark.parametrize("term", ["Olservice Köln", "olservjce", "\u0308", "_", "Zo"])
def test_a_word_that_is_not_in_a_text_does_not_find_it(staff, term):
    make_number(label="Ölservice")
    OpeningHours.objects.create(name="Ölservice")
    Group.objects.create(name="Ölservice")
    if term != "\u0308":  # a mark alone is not a word: it matches everything
        assert listed(staff, NUMBERS, "name", q=term) == []
        assert listed(staff, HOURS, "named", q=term) == []
        assert listed(staff, GROUPS, "__str__", q=term) == []
    assert listed(staff, USERS, "username", q="nobody") == []


def test_people_are_found_by_each_of_their_names(staff):
    make_user("j.oezdemir", first_name="Jörg", last_name="Özdemir", email="jo@example.com")
    for term in ("JÖRG", "jorg özdemir", "Oezdemir Jö", "JO@EXAMPLE"):
        assert listed(staff, USERS, "username", q=term) == ["j.oezdemir"]
    assert listed(staff, USERS, "username", q="jörg müller") == []


# --- Order -----------------------------------------------------------------------------------------


def test_lists_of_the_admin_are_in_the_order_of_a_german_dictionary(staff):
    make_all()
    User.objects.filter(username="staff").update(username="zz")
    for number in DestinationNumber.objects.order_by("e164"):
        make_key(number)

    assert listed(staff, NUMBERS, "name") == [*IN_ORDER]
    assert listed(staff, NUMBERS, "name", o="-1") == [*reversed(IN_ORDER)]
    assert [text.split(" (")[0] for text in listed(staff, KEYS, "destination_number")] == [*IN_ORDER]
    assert listed(staff, HOURS, "named") == [*IN_ORDER]
    assert listed(staff, HOURS, "named", o="-1") == [*reversed(IN_ORDER)]
    assert listed(staff, USERS, "username") == [*IN_ORDER, "zz"]
    assert listed(staff, USERS, "username", o="-1") == ["zz", *reversed(IN_ORDER)]
    made_by_migrations = {"viewer", "team lead", "operator", "user admin", "data protection"}
    assert [name for name in listed(staff, GROUPS, "__str__") if name not in made_by_migrations] == [*IN_ORDER]


def test_choices_of_the_admin_are_in_the_order_of_a_german_dictionary(staff):
    make_all()
    page = staff.get(f"{NUMBERS}add/").content.decode()
    menu = re.search(r'<select name="opening_hours".*?</select>', page, re.S)[0]
    assert re.findall(r"<option value=\"\d+\"[^>]*>([^<]+)<", menu) == [*IN_ORDER]


@pytest.mark.parametrize("address", ["/reports/calls/", "/reports/data-quality/"])
def test_pages_list_numbers_in_the_order_of_a_german_dictionary(staff, address):
    make_all()
    page = unescape(staff.get(address).content.decode())
    navigation = page[page.index("<nav") :]
    places = [navigation.index(f">{text}<") for text in IN_ORDER]
    assert places == sorted(places)


# --- All ways to write rows ------------------------------------------------------------------------


def keys():
    return sorted(DestinationNumber.objects.values_list("label", "search_key"))


@pytest.mark.django_db
def test_every_way_of_writing_a_label_writes_its_search_key():
    call_command("add_number", "+49 221 4710300", label="Köln", stdout=io.StringIO())
    assert keys() == [("Köln", "koln\nkoeln")]
    call_command("add_number", "+49 221 4710300", label="Bonn", stdout=io.StringIO())
    assert keys() == [("Bonn", "bonn")]

    number = DestinationNumber.objects.get()
    number.label = "Ärzte"
    number.save(update_fields=["label"])
    assert keys() == [("Ärzte", "arzte\naerzte")]

    DestinationNumber.objects.update(label="Öl")
    assert keys() == [("Öl", "ol\noel")]
    DestinationNumber.objects.update_or_create(e164=number.e164, defaults={"label": "Café"})
    assert keys() == [("Café", "cafe")]

    number.label = "Übung"
    DestinationNumber.objects.bulk_update([number], ["label"])
    assert keys() == [("Übung", "ubung\nuebung")]

    half = DestinationNumber.objects.only("label").get()
    half.label = "Élan"
    half.save()
    assert keys() == [("Élan", "elan")]
    without = DestinationNumber.objects.defer("label").get()
    without.customer_number = "1"
    without.save()
    assert keys() == [("Élan", "elan")]

    with pytest.raises(TypeError, match="search_key"):
        DestinationNumber.objects.update(label=Concat(F("label"), Value("!")))

    DestinationNumber.objects.bulk_create([DestinationNumber(e164="+4922155400300", label="Äpfel")])
    assert ("Äpfel", "apfel\naepfel") in keys()
    DestinationNumber.objects.bulk_create(
        [DestinationNumber(e164="+4922155400300", label="Öfen")],
        update_conflicts=True,
        unique_fields=["e164"],
        update_fields=["label"],
    )
    assert ("Öfen", "ofen\noefen") in keys()


@pytest.mark.django_db
def test_search_keys_are_collated_alike_in_every_database():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attrelid::regclass::text, collname FROM pg_attribute "
            "JOIN pg_class AS r ON r.oid = attrelid AND relkind = 'r' "
            "JOIN pg_collation AS c ON c.oid = attcollation WHERE attname = 'search_key'"
        )
        collations = dict(cursor.fetchall())
    assert collations == dict.fromkeys(("calls_destinationnumber", "calls_openinghours", "contacts_contact"), "C")
