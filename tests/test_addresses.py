"""Every address is requested by every kind of user, for an object of their number, of another one and a missing one.

tests/access/people.py has the users and tests/access/addresses.py the objects. An address that no table below lists
fails. An answer is a status; `login` is a redirect to the sign-in page, `->` a redirect to another page."""

from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User

from accounts.models import AuditEntry
from calls.models import NumberAccess
from tests.access.addresses import (
    MISSING_E164,
    addresses,
    fill,
    filled,
    make_upload,
    make_workbook,
    missing_objects,
    objects_of,
    objects_of_all,
    with_names,
)
from tests.access.answers import ask
from tests.access.people import ANONYMOUS, PEOPLE, SUPERUSER, make_person
from tests.conftest import and_in_full
from tests.factories import give, make_number, make_superuser, make_user

pytestmark = pytest.mark.django_db(transaction=True)

# What a page needs: asked from left to right, and the first that is missing is answered as in WITHOUT. `figures`,
# `calls`, `callers`, `people` and `export` are rights on the number that the address names; `some-calls` is that on
# any number, `system` the permission to see the page System status.
WITHOUT = {
    "sign-in": "login",
    "system": "403",
    "some-calls": "403",
    "figures": "404",
    "calls": "404",
    "callers": "403",
    "people": "403",
    "export": "403",
}
PAGES = """
reports/                        sign-in
reports/numbers/                sign-in
reports/numbers/<int:pk>/       sign-in figures
reports/numbers/<int:pk>/waiting/     sign-in figures
reports/numbers/<int:pk>/by-hour/     sign-in figures
reports/numbers/<int:pk>/forwarding/  sign-in figures
reports/numbers/<int:pk>/comparison/  sign-in figures
reports/numbers/<int:pk>/data/        sign-in figures
reports/numbers/<int:pk>/all/         sign-in figures
reports/calls/                  sign-in some-calls
reports/calls/whole/            sign-in figures export callers
reports/calls/<int:pk>/         sign-in calls
reports/system/                 sign-in system
reports/data-quality/           sign-in
reports/glossary/               sign-in
reports/forwards/               sign-in
reports/forwards.csv            sign-in figures people
reports/forwards.xlsx           sign-in figures people
reports/busy-hours/             sign-in
reports/trend/                  sign-in
reports/files/                  sign-in
reports/files/new/              sign-in figures export
reports/files/<uuid:pk>/        sign-in figures
reports/files/<uuid:pk>.xlsx    sign-in figures
reports/counts.csv              sign-in figures
reports/counts.xlsx             sign-in figures
reports/blocks.csv              sign-in figures
reports/blocks.xlsx             sign-in figures
reports/calls.csv               sign-in figures export
reports/calls.xlsx              sign-in figures export
reports/planner.csv             sign-in figures
reports/coverage.csv            sign-in figures
reports/coverage.xlsx           sign-in figures
reports/times.csv               sign-in figures
reports/times.xlsx              sign-in figures
reports/peaks.csv               sign-in figures
reports/peaks.xlsx              sign-in figures
reports/week.csv                sign-in figures
reports/week.xlsx               sign-in figures
live/                           sign-in
live/why/                       sign-in
live/board                      sign-in
live/lead-time/<int:pk>/        sign-in figures
accounts/sessions/              sign-in
accounts/password_change/       sign-in
accounts/password_change/done/  sign-in
"""
SEES_SYSTEM = {"operator", SUPERUSER}
# Objects that belong to one person: a superuser sees no others either.
PERSONAL = {
    *("reports/files/<uuid:pk>/", "reports/files/<uuid:pk>.xlsx"),
    *(f"admin/contacts/contact/import/<uuid:upload>/{part}" for part in ("", "refused/")),
}
# Pages of reports that take a POST.
TAKE_POSTS = {
    *("reports/numbers/", "reports/calls/", "reports/calls/<int:pk>/", "reports/files/", "reports/files/<uuid:pk>/"),
    *("reports/calls.csv", "reports/calls.xlsx"),
}

#    address                     anonymous  signed in  opens the admin
OTHERS = """
                                 ->         ->         ->
reports/when/                    ->         ->         ->
reports/definitions/             ->         ->         ->
reports/coverage/                ->         ->         ->
^tenios/posts/?$                 405        405        405
healthz                          200        200        200
api/contacts/<str:source>/<path:external_id>  401  401     401
accounts/login/                  200        ->         ->
accounts/logout/                 405        405        405
accounts/invitation/             410        410        410
accounts/invitation/done/        200        200        200
accounts/reauthenticate/         login      200        200
accounts/second-factor/          login      200        200
accounts/second-factor/authenticate/   login  ->   ->
accounts/second-factor/reauthenticate/ login  ->   ->
accounts/second-factor/app/      login      200        200
accounts/second-factor/app/remove/     login  404  404
accounts/second-factor/security-keys/add/             login  200  200
accounts/second-factor/security-keys/reauthenticate/  login  ->  ->
accounts/second-factor/security-keys/<int:pk>/rename/ login  404  404
accounts/second-factor/security-keys/<int:pk>/remove/ login  404  404
accounts/second-factor/recovery-codes/       login  404  404
accounts/second-factor/recovery-codes/new/   login  200  200
accounts/second-factor/recovery-codes/file/  login  404  404
accounts/sessions/left           401        200        200
live/state                       login      200        200
live/board/state                 403        200        200
live/board/key                   405        405        405
live/shown                       405        405        405
live/profile                     405        405        405
live/test                        405        405        405
live/note                        405        405        405
admin/                           login      login      200
admin/login/                     login      403        ->
admin/logout/                    ->         ->         405
admin/password_change/           login      login      ->
admin/password_change/done/      login      login      200
admin/autocomplete/              login      login      403
admin/jsi18n/                    login      login      200
admin/(?P<url>.*)$               login      login      404
"""
# What may be done with each table of the admin: v view, a add, c change, d delete. Others may do nothing there.
# Changing an endpoint or a look-up needs more rights than the figures that operators have here.
# `shown by` is the right on a number without which its rows are missing.
#    table                       shown by  operator  user-admin  data-protection  superuser
TABLES = """
auth/group                       -         -         v           v                vacd
auth/user                        -         -         vac         v                vacd
accounts/auditentry              -         -         -           v                v
calls/destinationnumber          figures   vac       v           v                vacd
calls/openinghours               -         vacd      -           -                vacd
calls/accesskey                  figures   v         -           -                v
calls/call                       calls     -         -           -                v
calls/callevent                  calls     -         -           -                v
calls/refusedpost                figures   v         -           -                v
calls/senderpolicy               -         vc        -           -                vc
contacts/agentdestination        people    vc        -           -                vc
contacts/contact                 -         vacd      -           -                vacd
contacts/linktemplate            -         vacd      -           -                vacd
contacts/lookup                  -         vd        -           -                vacd
contacts/contactkey              -         va        -           -                va
contacts/typednumber             figures   vac       -           -                vacd
live/boardkey                    -         va        -           -                va
live/numberrings                 figures   vacd      -           -                vacd
live/endpoint                    figures   va        -           -                vacd
live/delivery                    calls     vc        -           -                vc
reports/quarterhourcounts        figures   -         -           -                v
reports/daycounts                figures   -         -           -                v
reports/quarterhourblockcounts   figures   -         -           -                v
reports/dayblockcounts           figures   -         -           -                v
reports/firstpost                figures   -         -           -                v
"""
COLUMNS = ("operator", "user admin", "data protection", SUPERUSER)
ACTIONS = {
    "": "vc",
    "add/": "a",
    "<path:object_id>/history/": "vc",
    "<path:object_id>/change/": "vc",
    "<path:object_id>/delete/": "d",
}
# Other pages of the admin, and what they need. The list of the senders has one row, to which it leads.
NEED = {
    "admin/accounts/auditentry/audit.csv": ("accounts/auditentry", "v"),
    "admin/auth/user/<id>/password/": ("auth/user", "c"),
    "admin/auth/user/<id>/invite/": ("auth/user", "c"),
    "admin/auth/user/<id>/sessions/": ("auth/user", "c"),
    "admin/auth/user/<id>/second-factor/": ("auth/user", "c"),
    "admin/calls/destinationnumber/keys/issue/": ("calls/destinationnumber", "c"),
    "admin/calls/destinationnumber/keys/rotate/": ("calls/destinationnumber", "c"),
    "admin/calls/destinationnumber/keys/test/": ("calls/destinationnumber", "c"),
    "admin/calls/accesskey/revoke/": ("calls/destinationnumber", "c"),
    "admin/calls/refusedpost/<int:pk>/mend/": ("calls/destinationnumber", "c"),
    "admin/contacts/lookup/<int:lookup>/try/": ("contacts/lookup", "c"),
    **{
        f"admin/live/endpoint/<int:endpoint>/{page}/": ("live/endpoint", "c")
        for page in ("test", "switch", "secret", "resend")
    },
    "admin/live/delivery/<int:delivery>/resend/": ("live/delivery", "c"),
    "admin/live/delivery/<int:delivery>/sent/": ("live/delivery", "vc"),
    "admin/contacts/contactkey/<path:object_id>/revoke/": ("contacts/contactkey", "a"),
    "admin/live/boardkey/<path:object_id>/revoke/": ("live/boardkey", "a"),
    "admin/contacts/contact/import/": ("contacts/contact", "a"),
    "admin/contacts/contact/import/<uuid:upload>/": ("contacts/contact", "a"),
    "admin/contacts/contact/import/<uuid:upload>/refused/": ("contacts/contact", "a"),
}
LEADS_TO_ITS_ROW = "admin/calls/senderpolicy/"
# Leads to the menu of all settings; asked for `calls`.
APP_PAGE = "admin/^(?P<app_label>auth|accounts|calls|contacts|reports|live)/$"
VIEW_ON_SITE = "admin/r/<path:content_type_id>/<path:object_id>/"  # asked for a call


def rows(table):
    return [(line[:1].strip() and line.split()[0], line.split()) for line in table.strip("\n").splitlines()]


NEEDS_OF_PAGES = {address: words[1:] for address, words in rows(PAGES)}
ANSWERS_OF_OTHERS = {address: words[-3:] for address, words in rows(OTHERS)}
SHOWN_BY = {table: words[1] for table, words in rows(TABLES)}
MAY = {
    (table, name): letters for table, words in rows(TABLES) for name, letters in zip(COLUMNS, words[2:], strict=True)
}
NEEDS_OF_TABLES = NEED | {
    f"admin/{table}/{action}": (table, letters) for table in SHOWN_BY for action, letters in ACTIONS.items()
}
# Django leads from these to the pages of change, whether or not the object exists.
OLD_ADDRESSES = {f"admin/{table}/<path:object_id>/" for table in SHOWN_BY}
LISTED = {*NEEDS_OF_PAGES, *ANSWERS_OF_OTHERS, *NEEDS_OF_TABLES, *OLD_ADDRESSES, APP_PAGE, VIEW_ON_SITE}


def expected(address, name):
    """Return what a person is answered to an address about an object of their own number."""
    person = PEOPLE[name]
    if address in ANSWERS_OF_OTHERS:
        anonymous, signed_in, opens_admin = ANSWERS_OF_OTHERS[address]
        return opens_admin if person.opens_admin else anonymous if name == ANONYMOUS else signed_in
    if address in NEEDS_OF_PAGES:
        return next((WITHOUT[need] for need in NEEDS_OF_PAGES[address] if not has(name, need)), "200")
    return in_admin(address, name) if person.opens_admin else "login"


def in_admin(address, name):
    """Return what a person who opens the admin is answered there."""
    if address == VIEW_ON_SITE:
        return "->" if PEOPLE[name].has("calls") else "404"
    if address == APP_PAGE:
        return "->" if any(may(name, table, "vacd") for table in SHOWN_BY if "calls/" in table) else "404"
    if address in OLD_ADDRESSES:
        return "->"
    table, letters = NEEDS_OF_TABLES[address]
    if not may(name, table, letters):
        return "403"
    is_missing = "{" in with_names(address) and not (SHOWN_BY[table] == "-" or PEOPLE[name].has(SHOWN_BY[table]))
    if is_missing and address in NEED:
        return "404"  # a page of ours, not Django's
    return "->" if is_missing or address == LEADS_TO_ITS_ROW else "200"


def is_hidden_history(address, name, answer):
    """Return whether this is a history that Django refuses by looking for the object before it asks for permission."""
    return address.endswith("/history/") and expected(address, name) == "403" and answer.status == "->"


def has(name, need):
    if need == "sign-in":
        return name != ANONYMOUS
    return name in SEES_SYSTEM if need == "system" else PEOPLE[name].has(need.removeprefix("some-"))


def may(name, table, letters):
    return bool({*letters} & {*MAY.get((table, name), "-")})


@pytest.fixture
def installation(client, settings, tmp_path):
    """A number of the person who asks and one of somebody else, with everything that addresses name."""
    settings.FILES_FOLDER = tmp_path / "files"
    settings.FORWARDS_LEAST_DESTINATIONS = 1
    own, foreign = make_number(label="Hotline"), make_number("+4930123456", label="Sales")
    fill(client, own, foreign)
    return own, foreign


def test_every_address_is_listed_and_every_listed_one_exists():
    missing, gone = set(addresses()) - LISTED, LISTED - set(addresses())
    assert not missing, (
        "Say in tests/test_addresses.py who may see them: a page in PAGES with the rights it needs, a table of the "
        "admin in TABLES, another page of the admin in NEED, anything else in OTHERS. If a part of the address names "
        f"an object, PARTS in tests/access/addresses.py needs it too: {sorted(missing)}"
    )
    assert not gone, f"no longer an address, remove from the tables: {sorted(gone)}"


@pytest.mark.parametrize("name", PEOPLE)
def test_each_person_sees_what_their_rights_show_and_the_rest_as_if_it_did_not_exist(client, installation, name):
    own, foreign = installation
    user, other = make_person(name, own), make_user("other")
    give(other, foreign, "calls", "callers", "people", "export")
    # Who may change users does not see superusers.
    superuser = make_superuser("root")
    asked = make_workbook(own, user) if PEOPLE[name].has("figures") else None
    uploaded = make_upload(user) if user else None
    of_own = objects_of(own, make_user("colleague"), asked, uploaded) | objects_of_all(own)
    of_foreign = objects_of(foreign, superuser, make_workbook(foreign, other), make_upload(other))
    if user:
        client.force_login(user)

    wrong = []
    for address in sorted(LISTED):
        answer = ask(client, filled(address, of_own))
        if answer.status != expected(address, name) and not is_hidden_history(address, name, answer):
            wrong.append(f"{filled(address, of_own)}: {answer}, not {expected(address, name)}")
        path, refused = filled(address, of_foreign), []
        if address not in ANSWERS_OF_OTHERS and answer.status not in {"200", "->"}:
            refused.append((filled(address, of_own), answer.status))
        if "{" in with_names(address) and path:
            theirs, nothing = ask(client, path), ask(client, filled(address, missing_objects(of_foreign)))
            if name == SUPERUSER and address not in PERSONAL:
                if theirs.status != answer.status:
                    wrong.append(f"{path}: {theirs}, not {answer}")
                continue
            refused.append((path, theirs.status))
            if theirs != nothing:
                wrong.append(f"{path}: {theirs}, and of a missing object {nothing}; compare the bodies too")
            elif theirs.status == "200" or (address in NEEDS_OF_PAGES and user and theirs.status != "404"):
                wrong.append(f"{path}: {theirs}, although it is of another number")
        # What may not be read may not be posted to.
        for path, status in refused:
            posted = ask(client, path, "post")
            if posted.status not in {status, "login", "403", "404", "405"}:
                wrong.append(f"POST to {path}: {posted}")
    assert foreign.access_keys.filter(revoked_at=None).count() == foreign.access_keys.count() == 1
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", [ANONYMOUS, SUPERUSER])
def test_pages_take_no_method_that_is_not_listed(client, installation, name):
    own, _foreign = installation
    if user := make_person(name, own):
        client.force_login(user)
    objects = objects_of(own, make_user("colleague")) | objects_of_all(own)

    for address in NEEDS_OF_PAGES:
        if not address.startswith("reports/"):
            continue  # Django's own pages
        for method in ("post", "put", "patch", "delete", "options", "trace"):
            answer = ask(client, filled(address, objects), method)
            if method == "post" and address in TAKE_POSTS:
                assert answer.status != "405", address
            else:
                assert answer.status == "405", f"{method} {address}: {answer}"
        assert ask(client, filled(address, objects), "head").status == ask(client, filled(address, objects)).status


# HEAD, and methods that no page is written for: Django's admin answers them like a GET.
OTHER_METHODS = ("head", "put", "patch", "delete", "options")
# A view reads the method before it asks who somebody is, so few people find what others would.
FEW = [ANONYMOUS, "staff", SUPERUSER]


@pytest.mark.slow
@pytest.mark.parametrize("name", and_in_full(FEW, *(name for name in PEOPLE if name not in FEW)))
def test_no_other_method_shows_or_changes_more_than_a_get(client, installation, name):
    own, foreign = installation
    user, other = make_person(name, own), make_user("other")
    superuser = user if name == SUPERUSER else make_superuser()
    give(other, foreign, "calls", "callers", "people", "export")
    objects = objects_of(foreign, superuser, make_workbook(foreign, other)) | objects_of_all(foreign)
    if user:
        client.force_login(user)
    # The other addresses are forms of Django's own, or tested by themselves.
    asked = [address for address in sorted(LISTED - {*ANSWERS_OF_OTHERS}) if not address.startswith("accounts/")]
    opens_admin = PEOPLE[name].opens_admin
    paths = [filled(address, objects) for address in asked if opens_admin or not address.startswith("admin/")]
    before = stored()

    wrong = []
    for path in paths:
        got = ask(client, path)
        for method in OTHER_METHODS:
            answer = ask(client, path, method)
            is_same = answer.status == got.status and len(answer.body) <= len(got.body)
            if not (is_same or (answer.status == "405" and not answer.body)):
                wrong.append(f"{method} {path}: {answer}, not {got} or 405")
    assert not wrong, "\n".join(wrong)
    assert stored() == before


def stored():
    """Return how many rows each table of the admin has, and who may sign in and see what.

    Without the audit, in which each download is noted."""
    models = [*(model for model in admin.site._registry if model is not AuditEntry), NumberAccess, LogEntry]
    access = NumberAccess.objects.order_by("pk").values_list()
    users = User.objects.order_by("pk").values_list("pk", "password", "is_active", "is_staff", "is_superuser")
    return [model._default_manager.count() for model in models], list(access), list(users)


def test_a_foreign_number_in_a_query_is_answered_like_a_missing_one(client, installation):
    own, foreign = installation
    user = make_user("anna")
    give(user, own, "calls", "callers", "people", "export")
    client.force_login(user)

    for address in NEEDS_OF_PAGES:
        if not address.startswith("reports/") or "<" in address:
            continue
        path = with_names(address).partition("?")[0]
        for query in (
            "number={}",
            "kind=calls&number={}",
            f"number={quote(own.e164)}&number={{}}",
            "search=x&number={}",
        ):
            theirs, nothing = (
                ask(client, f"{path}?{query.format(quote(e164))}") for e164 in (foreign.e164, MISSING_E164)
            )
            spelled = {MISSING_E164, quote(MISSING_E164), foreign.e164, quote(foreign.e164)}
            bodies = [bytes(without(answer.body.decode(), spelled), "utf-8") for answer in (theirs, nothing)]
            assert theirs.status == nothing.status, f"{path}?{query}"
            assert bodies[0] == bodies[1], f"{path}?{query}"


def without(text, parts):
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "").replace(quote(part), "")
    return text
