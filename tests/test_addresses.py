"""Every address is requested by every kind of user; an address that the tables below do not list fails.

An answer is a status; `login` is a redirect to the sign-in page, `->` a redirect to another page."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.base import SessionBase
from django.http import QueryDict
from django.urls import URLPattern, get_resolver

from calls.models import Call, CallEvent, OpeningHours, RefusedPost, SenderPolicy
from reports.counting import rollups
from reports.exports import downloads, workbook_jobs
from reports.models import DayBlockCounts, DayCounts, FirstPost, QuarterHourBlockCounts, QuarterHourCounts
from tests.factories import make_number, make_staff, make_user, post, post_body, take

pytestmark = pytest.mark.django_db(transaction=True)

#    address                          anonymous  manager  other manager  staff
PAGES = """
^tenios/posts/?$                      405        405      405            405
healthz                               200        200      200            200
                                      ->         ->       ->             ->
reports/                              login      200      200            200
reports/numbers/<int:pk>/             login      200      404            200
reports/calls/                        login      200      200            200
reports/calls/<int:pk>/               login      200      404            200
reports/system/                       login      403      403            200
reports/coverage/                     login      200      200            200
reports/definitions/                  login      200      200            200
reports/forwards/                     login      200      200            200
reports/forwards.csv                  login      403      404            403
reports/forwards.xlsx                 login      403      404            403
reports/when/                         login      200      200            200
reports/files/                        login      200      200            200
reports/files/new/                    login      200      404            200
reports/files/<uuid:pk>/              login      200      404            404
reports/files/<uuid:pk>.xlsx          login      200      404            404
reports/counts.csv                    login      200      404            200
reports/counts.xlsx                   login      200      404            200
reports/blocks.xlsx                   login      200      404            200
reports/calls.xlsx                    login      200      404            200
reports/planner.csv                   login      200      404            200
reports/coverage.csv                  login      200      404            200
reports/coverage.xlsx                 login      200      404            200
reports/times.csv                     login      200      404            200
reports/times.xlsx                    login      200      404            200
reports/peaks.csv                     login      200      404            200
reports/peaks.xlsx                    login      200      404            200
reports/week.csv                      login      200      404            200
reports/week.xlsx                     login      200      404            200
reports/blocks.csv                    login      200      404            200
reports/calls.csv                     login      200      404            200
accounts/login/                       200        ->       ->             ->
accounts/logout/                      405        405      405            405
accounts/password_change/             login      200      200            200
accounts/password_change/done/        login      200      200            200
admin/                                login      login    login          200
admin/login/                          200        200      200            ->
admin/logout/                         ->         ->       ->             405
admin/password_change/                login      login    login          200
admin/password_change/done/           login      login    login          200
admin/autocomplete/                   login      login    login          403
admin/jsi18n/                         login      login    login          200
admin/r/<path:content_type_id>/<path:object_id>/  login  login  login    ->
admin/auth/user/<id>/password/        login      login    login          200
admin/calls/destinationnumber/keys/issue/   login  login  login          200
admin/calls/destinationnumber/keys/rotate/  login  login  login          200
admin/calls/accesskey/revoke/         login      login    login          200
admin/calls/refusedpost/<int:pk>/mend/  login    login    login          200
admin/^(?P<app_label>calls|auth|reports)/$  login  login  login          200
admin/(?P<url>.*)$                    login      login    login          404
"""
# The answers to staff for each table of the admin; all others are redirected to the sign-in page.
#    table                        list  add  history  delete  change
TABLES = """
auth/group                        200   200  200      200     200
auth/user                         200   200  200      200     200
calls/destinationnumber           200   200  200      200     200
calls/openinghours                200   200  200      200     200
calls/accesskey                   200   403  200      403     200
calls/call                        200   403  200      403     200
calls/callevent                   200   403  200      403     200
calls/refusedpost                 200   403  200      403     200
calls/senderpolicy                ->    403  200      403     200
reports/quarterhourcounts         200   403  200      403     200
reports/daycounts                 200   403  200      403     200
reports/quarterhourblockcounts    200   403  200      403     200
reports/dayblockcounts            200   403  200      403     200
reports/firstpost                 200   403  200      403     200
"""
HEADERS = (
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
    "Permissions-Policy",
)
ACTIONS = ("", "add/", "<path:object_id>/history/", "<path:object_id>/delete/", "<path:object_id>/change/")
WHO = ("anonymous", "manager", "other", "staff")


def expected():
    """Return the four answers of each address."""
    table = {}
    for line in PAGES.strip("\n").splitlines():
        address, answers = ("", line.split()) if line[0] == " " else (line.split()[0], line.split()[1:])
        table[address] = tuple(answers)
    for line in TABLES.strip().splitlines():
        name, *answers = line.split()
        for action, answer in zip(ACTIONS, answers, strict=True):
            table[f"admin/{name}/{action}"] = ("login", "login", "login", answer)
        table[f"admin/{name}/<path:object_id>/"] = ("login", "login", "login", "->")
    return table


def addresses(resolver=None, before=""):
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLPattern):
            yield before + str(pattern.pattern)
        else:
            yield from addresses(pattern, before + str(pattern.pattern))


def test_every_address_is_listed_and_every_listed_one_exists():
    missing, gone = set(addresses()) - set(expected()), set(expected()) - set(addresses())
    assert not missing, f"add to PAGES what each user is answered: {sorted(missing)}"
    assert not gone, f"no longer an address, remove from PAGES: {sorted(gone)}"


def test_every_user_sees_only_what_they_may_see(client):
    number = make_number(label="Hotline", managers=[make_user("manager")])
    make_number("+4930123456", managers=[make_user("other")])
    staff = make_staff()
    for kind in ("CALL_START", "BLOCK_END", "CALL_END"):
        take(number, kind, datetime.now(UTC))
    rollups.recount_changed(wait=True)
    tables = (QuarterHourCounts, DayCounts, QuarterHourBlockCounts, DayBlockCounts, FirstPost, Call, CallEvent)
    ids = {f"{table._meta.app_label}/{table._meta.model_name}": table.objects.first().pk for table in tables}
    ids |= {"calls/destinationnumber": number.pk, "calls/accesskey": number.access_keys.get().pk}
    assert post(client, post_body("CALL_START", "+4940555555", "not-a-key-of-it")).status_code == 403
    ids |= {"calls/refusedpost": RefusedPost.objects.get().pk, "calls/senderpolicy": 1}
    SenderPolicy.objects.create(pk=1)
    ids |= {"calls/openinghours": OpeningHours.objects.create(name="Office hours", state="NW").pk}
    asker = User.objects.get(username="manager")
    book = downloads.read("counts", QueryDict(f"number=%2B{number.e164[1:]}"), asker, SessionBase())
    workbook = workbook_jobs.ask(book, asker)
    workbook_jobs.make_waiting()
    group = asker.groups.create(name="Team")
    ids |= {"auth/user": staff.pk, "auth/group": group.pk}

    def filled(address):
        """Return an address with the ids of objects that the manager may see."""
        table = "/".join(address.split("/")[1:3])
        what = ids["calls/call"] if address.startswith("admin/r/") else ids.get(table)
        for name in ("<path:object_id>", "<id>"):
            address = address.replace(name, str(what))
        address = address.replace("refusedpost/<int:pk>", f"refusedpost/{ids['calls/refusedpost']}")
        address = address.replace("<uuid:pk>", str(workbook.pk))
        if address.endswith("files/new/"):
            address += f"?kind=calls&number={number.e164.replace('+', '%2B')}"
        address = address.replace("numbers/<int:pk>", f"numbers/{number.pk}")
        address = address.replace("calls/<int:pk>", f"calls/{ids['calls/call']}")
        address = address.replace("<path:content_type_id>", str(ContentType.objects.get_for_model(Call).pk))
        address = address.replace("^tenios/posts/?$", "tenios/posts").replace(
            "^(?P<app_label>calls|auth|reports)/$", "calls/"
        )
        address = address.replace("(?P<url>.*)$", "nothing/here/")
        if address.endswith((".csv", ".xlsx")) and "/files/" not in address:
            address += f"?number={number.e164.replace('+', '%2B')}"
        if "keys/" in address:
            address += f"?number={number.pk}"
        if "revoke" in address:
            address += f"?key={ids['calls/accesskey']}"
        return "/" + address

    wrong = []
    for address, answers in expected().items():
        for who, answer in zip(WHO, answers, strict=True):
            client.logout()
            if who != "anonymous":
                client.force_login(User.objects.get(username=who))
            response = client.get(filled(address))
            if not address.startswith(("^tenios", "healthz")):
                lacking = [name for name in HEADERS if name not in response.headers]
                assert not lacking, f"{filled(address)} as {who}: no {lacking}"
                assert "no-store" in response["Cache-Control"], filled(address)
            got = str(response.status_code)
            if got == "302":
                got = "login" if "/login/" in response["Location"] else "->"
            if got != answer:
                wrong.append(f"{filled(address)} as {who}: {got}, not {answer}")
            if response.streaming:
                b"".join(response.streaming_content)
    assert not wrong, "\n".join(wrong)
