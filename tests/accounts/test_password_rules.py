"""Rules of new passwords: guessable ones are refused with the reason, and no good one is."""

import random
import string
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from hypothesis import assume, given
from hypothesis import strategies as st

from accounts import guessable_words, passwords
from tests.factories import PASSWORD, make_user

WORDS = ["passwort", "password", "calltally", "tenios", "sommer", "hotline", "september", "montag", "willkommen"]

REFUSED = [
    ("Passwort2026!", "passwort"),
    ("P4ssw0rt2026!", "passwort"),
    ("Calltally123", "calltally"),
    ("Tenios+Tenios+1", "tenios"),
    ("Sommer-2026!!", "sommer"),
    ("Hotline+Winter26", "hotline"),
    ("Willkommen2026#", "willkommen"),
    ("Hallo.Hallo.2025", "hallo"),
    ("Frühling_2026_!", "frühling"),
    ("Fruehling_2026_!", "frühling"),
    ("MeinPasswort26!", "passwort"),
    ("Das-neue-Telefon-26", "telefon"),
    ("September2026!!", "september"),
    ("Montag,Dienstag1", "dienstag"),
    ("!!Admin!!4711!!", "admin"),
    ("qwertzuiop123", "qwertzuiop"),
    ("1qay2wsx3edc", "1qay2wsx3edc"),
    ("asdfghjkl-2026", "asdfghjkl"),
    ("superman-2026!", "superman"),
    ("Muster-Passwort1", "passwort"),
    ("Example-Hotline!", "hotline"),
    ("Anna-Meyer-2026", "Meyer"),
    ("anna.meyer@example.de", "example"),
    ("katzekatzekatze", "katze"),
]
GOOD = [
    PASSWORD,
    "correct horse battery staple",
    "vier blaue Stühle tanzen nachts",
    "Im Winter schläft der Dachs",
    "Großmutters Hefezopf schmeckt nach Kindheit",
    "hotline klingelt wie kirchenglocken",
    "Die Schwerter sind wertvoll und rostig",
    "Mailand Kuchen Regenschirm",
    "gelbe-Gurken-fliegen-rückwärts",
    "Studio first defekt gelaufen",
    "mein Hund frisst donnerstags Rucola",
    "tschüss kleine Waschmaschine",
    "kaffeetasse lampenschirm 2026",
    "unser Passwort hat Zahnschmerzen",
    "πέντε μικρά γουρούνια",
    "пять зелёных огурцов",
    "k7Hd9xQw2mZp",
    "xK#9v!Lq2@Zr",
    "Vb3-tq8M-zX41",
    "0f3a9c7e51d2b864",
    "J8x!2026-mTq7Lw",
]


def refusal(password, user=None):
    """Return the errors of a password, in words; blank if it is taken."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        return " ".join(error.messages)
    return ""


@pytest.fixture
def anna(settings):
    settings.ALLOWED_HOSTS = ["calls.example.com", "127.0.0.1"]
    return User(username="ameyer", first_name="Anna", last_name="Meyer", email="anna.meyer@example.de")


@pytest.mark.parametrize(("password", "word"), REFUSED)
def test_a_guessable_password_is_refused_with_the_word_it_rests_on_and_what_to_do(anna, password, word):
    said = refusal(password, anna)

    assert f"“{word}”" in said
    assert "Use four or more random words" in said


@pytest.mark.parametrize("password", GOOD)
def test_a_good_password_is_taken(anna, settings, password):
    settings.MFA_REQUIRED = "all"  # so that 12 characters are enough
    assert refusal(password, anna) == ""


@pytest.mark.parametrize(
    ("length", "signs"),
    [(16, "0123456789abcdef"), (12, string.ascii_letters + string.digits), (12, string.printable[:94])],
)
def test_random_passwords_are_taken(anna, settings, length, signs):
    settings.MFA_REQUIRED = "all"  # so that 12 characters are enough
    chance = random.Random(length)  # the same passwords in each run
    made = ["".join(chance.choices(signs, k=length)) for _ in range(300)]

    assert [one for one in made if not one.isdigit() and refusal(one, anna)] == []


LOOK_ALIKES = st.sampled_from([{}, {"a": "4", "o": "0", "s": "$"}, {"e": "3", "i": "1", "t": "7"}])


@given(
    words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=5),
    year=st.integers(1950, 2049),
    joint=st.sampled_from(["", " ", "-", "!", "_"]),
    changes_case=st.sampled_from([str.title, str.upper, str.lower, str.swapcase]),
    look_alikes=LOOK_ALIKES,
)
def test_guessable_words_in_any_spelling_with_a_year_and_a_sign_are_refused(
    words, year, joint, changes_case, look_alikes
):
    text = joint.join([*words, str(year)])
    written = "".join(look_alikes.get(sign, sign) for sign in text)

    assert passwords.what_it_rests_on(changes_case(written) + "!") in words


@given(st.text(max_size=200))
def test_any_text_is_judged_in_words(text):
    assume(text)
    assert isinstance(refusal(text, User(username="ameyer")), str)


def test_no_kind_of_character_is_required_and_long_passwords_are_taken():
    assert refusal("giraffenhalskrause") == ""
    chance = random.Random(1)
    long = "".join(chance.choices(string.ascii_letters, k=129))
    assert refusal(long[:128]) == ""
    assert "at most 128 characters" in refusal(long)


@pytest.mark.parametrize("password", ["aaaaaaaaaaaaaa", "abababababab", "anna nana anna"])
def test_few_different_characters_are_refused(password):
    assert "repeats a few characters" in refusal(password)


@pytest.mark.parametrize(
    "password",
    [
        "839201748392",
        "839201748392610",  # as long as the longest phone number
        "+49 221 4710-3001-2",
        "(0221) 471030-12345",
        "24.12.1985/01.01.2000",
        "4539578763621486029",
    ],
)
def test_few_digits_are_refused_because_they_could_be_a_phone_number_a_date_or_a_card(password):
    assert "Use at least 20 digits" in refusal(password)


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("241219850101200031121999", "31121999"),  # three dates
        ("19851224-20000101-19991231", "20000101"),
        ("12345678901234567890", "1234567890"),
        ("20202021202220232024", "2024"),
        ("00000111112222233333444445", "44444"),
    ],
)
def test_many_digits_are_refused_if_they_are_dates_years_rows_or_repetitions(password, word):
    said = refusal(password)

    assert "easily guessed" in said
    assert f"“{word}" in said


@pytest.mark.parametrize("password", ["83920174839261058274", "8392 0174 8392 6105 8274 93"])
def test_many_random_digits_are_taken(password):
    assert refusal(password) == ""


def test_random_digits_are_taken(anna):
    chance = random.Random(20)  # the same passwords in each run
    made = ["".join(chance.choices(string.digits, k=20)) for _ in range(300)]

    assert [one for one in made if refusal(one, anna)] == []


def test_the_words_of_the_company_replace_those_of_the_hosts(settings):
    settings.ALLOWED_HOSTS = ["calls.musterwerk.co.uk", "localhost", "[::1]", "10.0.0.7", ".example.com"]
    assert guessable_words.names_of_hosts(settings.ALLOWED_HOSTS) == "calls musterwerk example"
    assert "“musterwerk”" in refusal("Musterwerk-2026")

    settings.PASSWORD_WORDS = ["Schraubenkönig", "Halle Süd"]
    assert refusal("Musterwerk-2026") == ""
    for written in ("Schraubenkoenig26", "schraubenkönig-26", "SCHRAUBENKONIG26"):
        assert "“Schraubenkönig”" in refusal(written)


@pytest.mark.django_db
def test_an_existing_password_still_signs_in(client):
    person = make_user()
    person.set_password("sommer26")
    person.save()

    client.post("/accounts/login/", {"username": person.username, "password": "sommer26"})

    assert client.get("/reports/").status_code == 200


@pytest.mark.django_db
def test_own_password_is_changed_only_to_one_that_follows_the_rules(client):
    person = make_user("ameyer", last_name="Meyer")
    client.force_login(person)

    def change(new):
        sent = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
        return client.post("/accounts/password_change/", sent)

    assert "little more than “Meyer”" in change("Meyer-Meyer-26!").content.decode()
    assert change("vier blaue Stühle tanzen").status_code == 302


@pytest.mark.django_db
def test_the_command_line_applies_the_rules(monkeypatch):
    typed = iter(["Passwort2026!"] * 2 * 3)
    monkeypatch.setattr("getpass.getpass", lambda **_kwargs: next(typed))
    make_user("ameyer")
    said = StringIO()

    with pytest.raises(CommandError, match="Aborting password change"):
        call_command("changepassword", "ameyer", stdout=said, stderr=said)

    assert "“passwort”" in said.getvalue()
