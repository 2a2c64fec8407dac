"""Names of downloads tell their filters, and never what was searched for."""

from urllib.parse import urlencode

import pytest

from tests.factories import make_number, make_staff

pytestmark = pytest.mark.django_db(transaction=True)


def named(client, address):
    """Return the file name of a download."""
    answer = client.get(f"/reports/{address}")
    answer.close()
    return answer["Content-Disposition"].partition('"')[2].rstrip('"')


def test_the_name_of_a_file_tells_its_filters(client):
    number, other = make_number(label="Hotline Köln"), make_number("+4922155400302", label="客服")
    make_number("+4922155400303")
    client.force_login(make_staff())
    days = "from=2026-09-14&to=2026-09-15"
    one, both = urlencode({"number": number.e164}), urlencode({"number": [number.e164, other.e164]}, doseq=True)

    assert named(client, f"counts.csv?{days}&by=day") == "counts-2026-09-14-2026-09-15.csv"
    assert named(client, f"counts.csv?{days}&{one}&by=hour") == "counts-by-hour-2026-09-14-2026-09-15-hotline-koln.csv"
    assert named(client, f"counts.xlsx?{days}&{both}") == "counts-2026-09-14-2026-09-15-2-numbers.xlsx"
    assert named(client, f"blocks.csv?{days}&by=month&opening=outside") == (
        "blocks-by-month-2026-09-14-2026-09-15-outside.csv"
    )
    assert named(client, f"times.csv?{days}&by=hour&{urlencode({'number': other.e164})}") == (
        "times-2026-09-14-2026-09-15-4922155400302.csv"
    )


def test_the_name_of_a_file_of_calls_tells_what_was_lost_but_not_who_called(client):
    number = make_number(label="Hotline Köln")
    client.force_login(make_staff())
    days = "from=2026-09-14&to=2026-09-14"
    lost = f"{days}&outcome=missed&outcome=abandoned"
    token = client.post("/reports/calls/", {"q": "0171 2345678"})["Location"].partition("search=")[2]

    assert named(client, f"calls.csv?{days}") == "calls-2026-09-14.csv"
    assert named(client, f"calls.csv?{lost}") == "calls-2026-09-14-lost.csv"
    assert named(client, f"calls.xlsx?{lost}&{urlencode({'number': number.e164})}") == (
        "calls-2026-09-14-lost-hotline-koln.xlsx"
    )
    assert named(client, f"calls.csv?{days}&outcome=short&last_block=SAY") == "calls-2026-09-14-short-filtered.csv"
    assert token
    assert named(client, f"calls.csv?{days}&search={token}") == "calls-2026-09-14-filtered.csv"
