"""Everything that one person can see: each page, file, mail and list of the admin, by its address."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.contrib import admin
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.core import mail
from django.http import Http404, HttpResponseBase, QueryDict
from django.test import Client

from calls.models import DestinationNumber
from reports import alerts
from reports.exports import downloads, file_store, workbook_jobs
from reports.models import ToldSilence
from tests.access.addresses import addresses, filled, with_names
from tests.conftest import and_in_full
from tests.reports.helpers import confirm

MONTH = "from=2026-10-01&to=2026-10-31"
QUERIES = and_in_full([MONTH, f"{MONTH}&by=day&opening=inside"], "", "period=today")
QUERIES_OF_CSV = (MONTH, f"{MONTH}&by=week&format=excel")
# A whole number, its end, its beginning, and no number.
SEARCHES = ("+4917012345678", "5678", "0170 12", "withheld")
# The state of the installation is no number's. Workbooks are made by `_workbook`. Others change something.
LEFT_OUT = {"reports/system/", "reports/files/<uuid:pk>/", "reports/files/<uuid:pk>.xlsx", "admin/logout/"}
TABLES_WITH_SEARCH = ("calls/call", "calls/callevent")
TABLES_WITH_EXPORT = ("calls/call", "reports/daycounts", "reports/dayblockcounts", "reports/quarterhourcounts")
# What differs from one request to the next: tokens of forms and searches, and when a page or a workbook was made.
VARYING = (
    (re.compile(rb"\b[0-9A-Za-z]{64}\b"), b"TOKEN"),
    (re.compile(rb"\b(search|q)(=|%3D)[\w-]{12}(?![\w-])"), rb"\1\2TOKEN"),
    (re.compile(rb"Printed \w+ \d+ \w+ \d+, \d+:\d+"), b"Printed"),
    (re.compile(rb'(name="(?:search|q)" value=")[\w-]{12}"'), rb'\1TOKEN"'),
    (re.compile(rb"(<dcterms:\w+[^>]*>)[^<]*"), rb"\1"),
)


def sights_of(
    user: User, numbers: Sequence[DestinationNumber], calls: Sequence[int], objects: Mapping[str, Any], now: datetime
) -> dict[str, bytes]:
    """Return all that a person sees, by address. `numbers` and `calls` are theirs, `objects` stand in the admin."""
    client = Client()
    client.force_login(user)
    mails = _mails_to(user, now)  # first, because later the counts are no longer of this minute
    seen = {"mails": mails} | {path: content(client.get(path)) for path in paths(numbers, calls)}
    for search in SEARCHES:
        seen[f"search for {search}"] = content(client.post("/reports/calls/", {"q": search}, follow=True))
    for call in calls[:3]:
        asked = {"caller_of": call}
        seen[f"calls of the caller of {call}"] = content(client.post("/reports/calls/", asked, follow=True))
    confirm(client)
    for file in ("csv", "xlsx"):
        answer = client.post(f"/reports/calls.{file}?{MONTH}", {"reason": "call back"})
        seen[f"calls.{file} with whole callers"] = content(answer)
    for kind in downloads.KINDS:
        seen[f"workbook of {kind}"] = _workbook(user, kind)
    if client.get("/admin/").status_code == 200:
        seen |= {path: content(client.get(path)) for path in paths_in_admin(objects)}
        for table in TABLES_WITH_SEARCH:
            for search in SEARCHES:
                found = client.post(f"/admin/{table}/", {"search": search}, follow=True)
                seen[f"search for {search} in {table}"] = content(found)
        for table in TABLES_WITH_EXPORT:
            chosen = {"action": "export_csv", "select_across": "1", "_selected_action": [objects[table]], "index": "0"}
            seen[f"export of {table}"] = content(client.post(f"/admin/{table}/", chosen))
    return seen


def paths(numbers: Sequence[DestinationNumber], calls: Sequence[int]) -> Iterator[str]:
    """Yield the paths of reports: pages with several filters, of each number and call, and files."""
    of_numbers = [f"{MONTH}&number={quote(number.e164)}" for number in numbers]
    for address in sorted(addresses()):
        if not address.startswith("reports/") or address in LEFT_OUT:
            continue
        path = with_names(address).partition("?")[0]
        if address == "reports/files/new/":
            yield from (f"{path}?kind={kind}&{query}" for kind in ("calls", "counts") for query in (MONTH, *of_numbers))
        elif "{number}" in path:
            yield from (f"{path.format(number=number.pk)}?{query}" for number in numbers for query in QUERIES)
        elif "{calls/call}" in path:
            yield from (path.format_map({"calls/call": call}) for call in calls)
        elif path.endswith(".xlsx"):
            yield f"{path}?{MONTH}"
        elif path.endswith(".csv"):
            yield from (f"{path}?{query}" for query in (*QUERIES_OF_CSV, *of_numbers))
        else:
            yield from (f"{path}?{query}" for query in (*QUERIES, *of_numbers))


def paths_in_admin(objects: Mapping[str, Any]) -> Iterator[str]:
    """Yield the paths of lists, histories and autocompletes, and of the pages of the objects."""
    for address in sorted(addresses()):
        if address.startswith("admin/") and address not in LEFT_OUT and (path := filled(address, objects)):
            yield path
    for model, model_admin in admin.site._registry.items():
        for holder, fields in (
            (model, model_admin.autocomplete_fields),
            *((inline.model, inline.autocomplete_fields) for inline in model_admin.inlines),
        ):
            for field in fields:
                where = f"app_label={holder._meta.app_label}&model_name={holder._meta.model_name}&field_name={field}"
                yield f"/admin/autocomplete/?{where}&term="


def content(answer: HttpResponseBase) -> bytes:
    """Return status, place and body of an answer, without what varies; a workbook as the files in it."""
    body: bytes = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore
    place = f"{answer.get('Location', '')} {answer.get('Content-Disposition', '')}"
    return _without_varying(f"{answer.status_code} {place}\n".encode() + _unzipped(body))


def _unzipped(body: bytes) -> bytes:
    if not body.startswith(b"PK"):
        return body
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        return b"\n".join(name.encode() + b"\n" + book.read(name) for name in sorted(book.namelist()))


def _without_varying(body: bytes) -> bytes:
    for pattern, text in VARYING:
        body = pattern.sub(text, body)
    return body


def _workbook(user: User, kind: str) -> bytes:
    """Return a workbook as the files worker makes it, or why there is none."""
    try:
        book = downloads.read(kind, QueryDict(MONTH), user, SessionBase())
    except (downloads.Refused, downloads.BadQuery, Http404) as error:
        return repr(error).encode()
    workbook = workbook_jobs.ask(book, user)
    workbook_jobs.make_waiting()
    workbook.refresh_from_db()
    body = file_store.path_of(workbook.file_name).read_bytes()
    said = repr((workbook.name, workbook.filters, workbook.rows)).encode()
    workbook.delete()
    return _without_varying(said + _unzipped(body))


def _mails_to(user: User, now: datetime) -> bytes:
    ToldSilence.objects.all().delete()
    mail.outbox.clear()
    alerts.tell_silences(now)
    return "\n".join(f"{one.subject}\n{one.body}" for one in mail.outbox if one.to == [user.email]).encode()
