"""Silent numbers are emailed once to those who may see them, and again only after posts have come."""

import socketserver
import threading
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from config import mail_settings
from reports import alerts, tasks
from reports.counting import rollups
from reports.models import QuarterHourCounts, ToldSilence
from tests.factories import give, make_number, make_staff, make_superuser, make_user, take

pytestmark = pytest.mark.django_db(transaction=True)

SENDER = "calltally@example.com"


@pytest.fixture(autouse=True)
def mail_is_set_up(settings, tmp_path):
    settings.SENDS_MAIL, settings.DEFAULT_FROM_EMAIL = True, SENDER
    settings.SPOOL_FOLDER = tmp_path / "spool"  # without posts of other tests


def call(number, at, uuid="a"):
    take(number, "CALL_START", at, call_uuid=uuid)
    rollups.recount_changed(wait=True)


def make_silent(e164, label, **more):
    """Create a number with four calls an hour, and none in the last five hours."""
    number = make_number(e164, label=label, **more)
    call(number, timezone.now() - timedelta(hours=5))
    quarter_hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    QuarterHourCounts.objects.bulk_create(
        QuarterHourCounts(
            destination_number=number,
            quarter_hour=quarter_hour - timedelta(days=7 * week, hours=hour),
            offered=4,
        )
        for week in range(1, 5)
        for hour in range(24)
    )
    return number


def told(mails):
    return sorted((*mail.to, mail.subject) for mail in mails)


def test_each_gets_one_mail_about_the_numbers_that_they_may_see(mailoutbox, settings):
    settings.PUBLIC_URL = "https://calls.example.com"
    anna, bert = make_user("anna", email="anna@example.com"), make_user("bert", email="bert@example.com")
    make_user("nobody", email="nobody@example.com", is_staff=True)
    make_staff("staff", permissions=[], email="staff@example.com")
    make_superuser("root", email="root@example.com")
    viewer, left = (make_user(name, email=f"{name}@example.com") for name in ("viewer", "left"))
    make_silent("+4930111", "Berlin", managers=[anna, bert])
    hamburg = make_silent("+4940222", "Hamburg", managers=[anna])
    give(viewer, hamburg)
    give(left, hamburg, until=timezone.localdate() - timedelta(days=1))
    call(make_number("+4989333", label="München", managers=[bert]), timezone.now())

    tasks.tell_silences()

    assert told(mailoutbox) == [
        ("anna@example.com", "Calltally: 2 numbers receive no calls"),
        ("bert@example.com", "Calltally: Berlin receives no calls"),
        ("root@example.com", "Calltally: 2 numbers receive no calls"),
        ("staff@example.com", "Calltally: 2 numbers receive no calls"),
        ("viewer@example.com", "Calltally: Hamburg receives no calls"),
    ]
    (of_bert,) = [mail for mail in mailoutbox if mail.to == ["bert@example.com"]]
    assert of_bert.from_email == SENDER
    assert "Berlin (+49 30 111)" in of_bert.body
    assert "No calls received since " in of_bert.body
    assert "calls were expected since then." in of_bert.body
    assert "Call the number" in of_bert.body
    assert "https://calls.example.com/reports/data-quality/" in of_bert.body
    assert "Hamburg" not in of_bert.body
    assert "17012345678" not in of_bert.body  # the caller


def test_inactive_users_and_those_without_an_address_get_no_mail(mailoutbox):
    away = make_staff("away", email="away@example.com", is_active=False)
    without = make_user("without")
    make_silent("+4930111", "Berlin", managers=[away, without])

    tasks.tell_silences()

    assert not mailoutbox
    assert not ToldSilence.objects.exists()


def test_a_silence_is_emailed_once_and_a_new_one_again(mailoutbox):
    make_staff(email="staff@example.com")
    number = make_silent("+4930111", "Berlin")
    tasks.tell_silences()
    tasks.tell_silences()
    assert len(mailoutbox) == 1
    since = ToldSilence.objects.get().since

    call(number, timezone.now() - timedelta(hours=4), uuid="b")  # a post came, then it is silent again
    tasks.tell_silences()

    assert len(mailoutbox) == 2
    assert ToldSilence.objects.get().since > since
    call(number, timezone.now(), uuid="c")
    tasks.tell_silences()
    assert len(mailoutbox) == 2
    assert not ToldSilence.objects.exists()


def test_a_new_manager_of_a_silent_number_gets_a_mail_and_the_others_no_second(mailoutbox):
    anna = make_user("anna", email="anna@example.com")
    number = make_silent("+4930111", "Berlin", managers=[anna])
    tasks.tell_silences()

    make_user("bert", email="bert@example.com", numbers=[number])
    tasks.tell_silences()

    assert [mail.to for mail in mailoutbox] == [["anna@example.com"], ["bert@example.com"]]


def test_no_mail_is_sent_without_a_server_or_while_posts_wait_to_be_counted(mailoutbox, settings):
    make_staff(email="staff@example.com")
    number = make_silent("+4930111", "Berlin")
    settings.SENDS_MAIL = False
    tasks.tell_silences()
    assert not mailoutbox

    settings.SENDS_MAIL = True
    take(number, "CALL_START", timezone.now(), call_uuid="new")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE calls_changedquarterhour SET logged_at = now() - interval '10 minutes'")
    tasks.tell_silences()
    assert not mailoutbox


def test_two_workers_never_send_the_same_mail_twice(mailoutbox):
    make_staff(email="staff@example.com")
    make_silent("+4930111", "Berlin")
    with closing(connection.copy()) as another:
        with another.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [alerts.LOCK])
        tasks.tell_silences()
    assert not mailoutbox
    assert not ToldSilence.objects.exists()


# --- A real mail server ----------------------------------------------------------------------


class Conversation(socketserver.StreamRequestHandler):
    """The part of SMTP needed to accept a mail, or to refuse one recipient or all."""

    def handle(self):
        server, body = self.server, []
        self.say("554 not today" if server.refuses_all else "220 ready")
        for line in self.rfile:
            match line.decode().split(None, 1)[0].upper():
                case "RCPT" if server.refused and server.refused in line.decode():
                    self.say("550 no such person")
                case "DATA":
                    self.say("354 go on")
                    while (line := self.rfile.readline()) not in (b".\r\n", b""):
                        body.append(line.decode())
                    server.mails.append("".join(body))
                    body.clear()
                    self.say("250 taken")
                case "QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 well")

    def say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail_server(settings, *, refuses_all=False, refused=""):
    """Run a mail server that `settings` use; yield it. Its `mails` are those accepted."""
    with socketserver.TCPServer(("127.0.0.1", 0), Conversation) as server:
        server.mails, server.refuses_all, server.refused = [], refuses_all, refused
        for name, value in mail_settings.read(f"smtp://127.0.0.1:{server.server_address[1]}", SENDER).settings.items():
            setattr(settings, name, value)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def test_the_mail_is_sent(settings):
    make_staff(email="staff@example.com")
    make_silent("+4930111", "Berlin")

    with mail_server(settings) as server:
        tasks.tell_silences()

    (mail,) = server.mails
    assert "To: staff@example.com" in mail
    assert f"From: {SENDER}" in mail
    assert "Subject: Calltally: Berlin receives no calls" in mail
    assert "Berlin (+49 30 111)" in mail


def test_refused_mail_is_retried_and_no_log_names_a_person(settings, caplog):
    make_staff(email="staff@example.com")
    make_silent("+4930111", "Berlin")

    with mail_server(settings, refuses_all=True) as server:
        tasks.tell_silences()
    tasks.tell_silences()  # the server no longer runs
    assert not server.mails
    assert not ToldSilence.objects.exists()
    with mail_server(settings) as server:
        tasks.tell_silences()
        tasks.tell_silences()

    assert len(server.mails) == 1
    assert "no mail leaves" in caplog.text
    assert "staff@example.com" not in caplog.text


def test_a_refused_recipient_does_not_stop_other_mails(settings, caplog):
    number = make_silent("+4930111", "Berlin")
    for name in ("anna", "bert"):
        make_user(name, email=f"{name}@example.com", numbers=[number])

    with mail_server(settings, refused="anna@") as server:
        tasks.tell_silences()
    assert ["To: bert@example.com" in mail for mail in server.mails] == [True]
    with mail_server(settings) as server:
        tasks.tell_silences()

    assert ["To: anna@example.com" in mail for mail in server.mails] == [True]
    assert "was not informed" in caplog.text
    assert "anna@" not in caplog.text


@pytest.mark.parametrize(
    ("sends", "wrong", "says"),
    [
        (True, "", "Mail is set up. Those who may see a number get one mail"),
        (False, "", "Mail is not set up. Only the pages show that a number receives no calls."),
        (False, "EMAIL_URL", "No mail is sent because the value of EMAIL_URL is not valid."),
    ],
)
def test_the_page_for_staff_says_whether_mail_is_set_up(client, settings, sends, wrong, says):
    settings.SENDS_MAIL, settings.WRONG_FOR_MAIL = sends, wrong
    client.force_login(make_staff())

    page = client.get("/reports/system/").content.decode()
    assert says in page
    assert ("Not set up" in page) == ("is not set up" in says)


def test_without_an_address_of_a_server_no_mail_is_sent_at_all():
    assert mail_settings.read("", "").settings == mail_settings.NOWHERE
    assert not django_settings.WRONG_FOR_MAIL
