"""Monitoring: metrics for Prometheus, the page System status for staff, the log, and access to them."""

import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from calls import log_limits
from calls.ingest import intake, post_log
from calls.ingest.spool import open_spool
from calls.models import ChangedQuarterHour
from config.logs import JsonFormatter, LineFormatter
from reports import monitoring
from reports.models import RollUp
from tests.factories import ACCESS_KEY, make_key, make_number, make_staff, make_user, post, post_body

pytestmark = pytest.mark.django_db(transaction=True)

DEPLOY = django_settings.BASE_DIR / "deploy"


@pytest.fixture(autouse=True)
def _closed():
    yield
    monitoring.close()


@pytest.fixture
def number():
    number = make_number()
    make_key(number, ACCESS_KEY)
    return number


def scrape(client):
    """Return the samples of /metrics: {(name, labels): value}."""
    answer = client.get("/metrics", headers={"host": "10.0.0.1:8000"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.content.decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_posts_are_counted_by_their_answers(client, number):
    before = scrape(client)
    for body in (
        post_body("CALL_START", number),
        post_body("CALL_END", number),
        post_body("CALL_END", number, "wrong"),
    ):
        post(client, body)
    client.get("/tenios/posts")
    after = scrape(client)

    def grown(*name):
        return after.get((*name, "web"), 0) - before.get((*name, "web"), 0)

    counted = {answer: grown("calltally_posts_total", answer) for answer in ("200", "403", "405")}
    assert counted == {"200": 2, "403": 1, "405": 1}
    assert grown("calltally_post_seconds_count") == 4
    assert grown("calltally_batch_posts_count") == grown("calltally_batch_posts_sum") == 3


def test_waiting_posts_are_in_the_metrics(client, number, own_spool):
    now = timezone.now()
    RollUp.objects.create(pk=1, counted_at=now - timedelta(seconds=40), time_zone="Europe/Berlin")
    for age in (0, 90):
        row = ChangedQuarterHour.objects.create(destination_number=number, quarter_hour=now)
        ChangedQuarterHour.objects.filter(pk=row.pk).update(logged_at=now - timedelta(seconds=age))
    post(client, post_body("CALL_START", "+4940555555"))

    metrics = scrape(client)

    assert metrics["calltally_database_up",] == metrics["calltally_spool_up",] == 1
    assert metrics["calltally_changed_quarter_hours",] == 2
    assert 90 <= metrics["calltally_roll_up_lag_seconds",] < 150
    assert 40 <= metrics["calltally_worker_heartbeat_age_seconds",] < 100
    assert metrics["calltally_refused_posts",] == 1
    assert metrics["calltally_spool_posts",] == 0
    assert metrics["calltally_build_info", django_settings.VERSION] == 1


@pytest.fixture
def own_spool(tmp_path, settings):
    settings.SPOOL_FOLDER = tmp_path / "spool"
    return open_spool()


def test_metrics_are_answered_while_the_database_is_down(client, db, own_spool, monkeypatch):
    monitoring.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")

    metrics = scrape(client)

    assert metrics["calltally_database_up",] == 0
    assert metrics["calltally_spool_posts",] == 0
    assert ("calltally_roll_up_lag_seconds",) not in metrics


@pytest.mark.parametrize(
    ("environ", "token", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, "", 200),
        ({"REMOTE_ADDR": "::1"}, "", 200),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, "", 404),
        ({"REMOTE_ADDR": "10.0.0.7"}, "", 404),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer "}, "", 404),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer secret-token"}, "", 404),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer secret-token"}, "secret-token", 200),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "bearer  secret-token"}, "secret-token", 200),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer wrong"}, "secret-token", 404),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_AUTHORIZATION": "Bearer wröng"}, "secret-token", 404),
    ],
)
def test_metrics_are_for_this_machine_and_for_clients_with_the_token(client, settings, environ, token, status):
    settings.METRICS_TOKEN = token

    assert client.get("/metrics", **environ).status_code == status
    health = client.get("/healthz", **environ)
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert (health.json().keys() > {"status", "database"}) == (status == 200)
    assert health.json().keys() == {"status"} or status == 200


LOOPBACK = {"REMOTE_ADDR": "127.0.0.1"}


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        (LOOPBACK, 404),  # a proxy that names no client, or a client on this machine
        (LOOPBACK | {"HTTP_AUTHORIZATION": "Bearer secret-token"}, 200),
        (LOOPBACK | {"HTTP_X_FORWARDED_FOR": "203.0.113.9", "HTTP_AUTHORIZATION": "Bearer secret-token"}, 200),
        (LOOPBACK | {"HTTP_AUTHORIZATION": "Bearer wrong"}, 404),
        (LOOPBACK | {"HTTP_AUTHORIZATION": "Basic secret-token"}, 404),
    ],
)
def test_behind_https_metrics_and_details_of_health_need_the_token(client, settings, environ, status):
    settings.BEHIND_HTTPS, settings.METRICS_TOKEN = True, "secret-token"

    assert client.get("/metrics", **environ).status_code == status
    assert (client.get("/healthz", **environ).json() == {"status": "ok"}) == (status == 404)
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", **environ).status_code == 404


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via", "Calltallyproxy"]
)
def test_requests_through_a_proxy_get_no_metrics(client, header):
    assert client.get("/metrics", headers={header: "x"}).status_code == 404
    assert client.get("/healthz", headers={header: "x"}).json() == {"status": "ok"}


def test_other_clients_see_only_whether_posts_can_be_stored(client, settings, tmp_path, monkeypatch):
    (tmp_path / "posts.sqlite3").mkdir()
    settings.SPOOL_FOLDER = tmp_path
    monkeypatch.setattr(intake.Intake, "has_database", lambda _self: False)

    answer = client.get("/healthz", REMOTE_ADDR="203.0.113.9")

    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})
    assert client.get("/healthz").json()["spool"] == "cannot keep posts"


@pytest.mark.parametrize("path", ["/tenios/posts", "/tenios/posts/", "/healthz", "/metrics"])
@pytest.mark.parametrize("method", ["get", "post", "put", "options"])
@pytest.mark.parametrize("sender", ["127.0.0.1", "203.0.113.9"])
def test_answers_for_machines_are_neither_cached_nor_sniffed_nor_shown_in_frames(client, path, method, sender):
    answer = getattr(client, method)(path, REMOTE_ADDR=sender)

    assert (answer["X-Content-Type-Options"], answer["Cache-Control"]) == ("nosniff", "no-store")
    assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in answer


@pytest.mark.parametrize("path", ["/tenios/posts", "/healthz", "/metrics"])
def test_behind_https_answers_for_machines_have_hsts(client, settings, path):
    settings.SECURE_HSTS_SECONDS = 3600

    assert client.get(path)["Strict-Transport-Security"] == "max-age=3600"


def test_alerts_and_board_use_existing_metrics_and_all_metrics_are_documented(client, number, own_spool, settings):
    RollUp.objects.create(pk=1, counted_at=timezone.now(), time_zone="Europe/Berlin")
    post(client, post_body("CALL_START", number))
    settings.INTAKE_URL = "http://127.0.0.1:1"
    metrics = {name for name, *_ in scrape(client) if not name.endswith("_created")}
    metrics = {name for name in metrics if name.startswith("calltally_")}
    asked = "\n".join(path.read_text() for path in DEPLOY.glob("[pg]r*/*"))
    json.loads((DEPLOY / "grafana/calltally.json").read_text())
    described = (django_settings.BASE_DIR / "docs/watching.md").read_text()

    assert set(re.findall(r"calltally_\w+", asked)) <= metrics
    bases = {re.sub("_(bucket|sum|count)$", "", name) for name in metrics}
    assert {name for name in bases if name not in described} == set()
    alerts = set(re.findall(r"alert: (\w+)", asked))
    assert alerts
    assert {alert for alert in alerts if f"`{alert}`" not in described} == set()


# --- The log ---------------------------------------------------------------------------------


@pytest.fixture
def lines():
    """The lines that calltally.posts logs."""
    handler, written = logging.Handler(), []
    handler.emit = written.append
    post_log.logger.addHandler(handler)
    yield written
    post_log.logger.removeHandler(handler)


def test_a_refused_post_is_logged_in_one_line_without_its_contents(client, number, lines, caplog):
    body = post_body("CALL_START", "+4940555555", "a-key-nobody-knows", caller_id_number="+4917055555")
    post(client, body)
    post(client, post_body("X\nforged=1", "no\nnumber", "a-key-nobody-knows"))

    first, second = lines
    line = LineFormatter().format(first)
    assert re.search(
        r"WARNING calltally.posts: refused ingest_id=[0-9a-f-]{36} status=403 code=forbidden "
        r"number=\+4940555555 request_type=CALL_START$",
        line,
    )
    assert "forged" not in LineFormatter().format(second) + JsonFormatter().format(second)
    assert "number" not in second.fields
    logged = json.loads(JsonFormatter().format(first))
    assert (logged["message"], logged["status"], logged["level"]) == ("refused", 403, "WARNING")
    written = caplog.text + line + str(logged)
    for hidden in ("a-key-nobody-knows", "+4917055555", "Forbidden: /tenios"):
        assert hidden not in written


def test_lines_have_the_local_time_with_its_offset_also_in_the_hour_that_occurs_twice():
    record = logging.LogRecord("calltally", logging.INFO, "", 0, "counted", (), None)
    times = []
    for created in (1774787400.1234, 1792888200.5, 1792891800.5):
        record.created = created
        times.append(LineFormatter().format(record))

    assert times == [
        "2026-03-29 14:30:00,123+02:00 INFO calltally: counted",
        "2026-10-25 02:30:00,500+02:00 INFO calltally: counted",
        "2026-10-25 02:30:00,500+01:00 INFO calltally: counted",
    ]


def test_a_flood_logs_few_lines_and_the_number_of_suppressed_ones(lines, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(log_limits.time, "monotonic", lambda: now[0])
    for _ in range(500):
        post_log.logger.warning("refused", extra={"fields": {}})
    now[0] += 1
    post_log.logger.warning("refused", extra={"fields": {}})

    assert len(lines) == log_limits.LINES_PER_S + 1
    assert LineFormatter().format(lines[-1]).endswith(f"refused held_back={500 - log_limits.LINES_PER_S}")


@pytest.fixture
def console(monkeypatch):
    """The output of the console handler, configured as in an installation."""
    written = io.StringIO()
    (handler,) = [handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler]
    monkeypatch.setattr(handler, "stream", written)
    # Tests before may have used up the lines of this second.
    monkeypatch.setattr(handler, "filters", [type(one)() for one in handler.filters])
    return written


def test_a_wrong_host_is_one_line_without_a_traceback(client, console):
    answer = client.get("/reports/?caller=%2B4917055555", headers={"host": "evil.example"})

    assert answer.status_code == 400
    (line,) = console.getvalue().splitlines()
    assert "WARNING django.security.DisallowedHost: Invalid HTTP_HOST header: 'evil.example'" in line
    assert "+4917055555" not in line


def test_a_wrong_host_can_neither_forge_nor_inflate_a_line(client, console):
    client.get("/reports/", headers={"host": "a\n2026 forged\x1b[31m" + "x" * 5000})

    (line,) = console.getvalue().splitlines()
    assert len(line) < 500
    assert "\x1b" not in line


def test_a_refused_permission_is_one_line_without_a_traceback(client, number, console):
    client.force_login(make_user(numbers=[number]))

    assert client.get("/reports/system/").status_code == 403
    (line,) = console.getvalue().splitlines()
    assert line.endswith("WARNING django.request: Forbidden (Permission denied): /reports/system/")


def test_wrong_requests_do_not_fill_the_log(client, console, monkeypatch):
    now = [2000.0]
    monkeypatch.setattr(log_limits.time, "monotonic", lambda: now[0])
    for number in range(100):
        client.get(f"/nothing/{number}", headers={"host": "127.0.0.1" if number % 2 else "evil.example"})
    assert len(console.getvalue().splitlines()) == log_limits.LINES_PER_S
    now[0] += 1
    client.get("/nothing/")

    assert console.getvalue().endswith(f"Not Found: /nothing/ held_back={100 - log_limits.LINES_PER_S}\n")


def test_an_error_of_ours_is_logged_with_its_traceback(console):
    try:
        int("ours")
    except ValueError:
        logging.getLogger("django.request").exception("Internal Server Error: %s", "/", extra={"status_code": 500})

    assert "ERROR django.request: Internal Server Error: /" in console.getvalue()
    assert "Traceback" in console.getvalue()


# --- The page --------------------------------------------------------------------------------


def test_the_page_reports_that_everything_is_ok(client, number, own_spool):
    client.force_login(make_staff())
    post(client, post_body("CALL_START", number))
    RollUp.objects.create(pk=1, counted_at=timezone.now(), time_zone="Europe/Berlin")

    page = client.get("/reports/system/").content.decode()

    assert "Everything is in order. Messages are stored and counted." in page
    assert "Last message received:" in page


def test_the_page_reports_problems_and_what_to_do(client, number, own_spool):
    client.force_login(make_staff())
    RollUp.objects.create(pk=1, counted_at=timezone.now() - timedelta(minutes=5), time_zone="Europe/Berlin")
    post(client, post_body("CALL_START", "+4940555555"))

    page = client.get("/reports/system/").content.decode()

    assert "2 problems need action." in page
    assert "Check that worker, beat and broker are running" in page
    assert "1 message that could be from TENIOS was rejected" in page


def test_an_unusable_spool_is_reported(client, number, settings, tmp_path):
    (tmp_path / "posts.sqlite3").mkdir()
    settings.SPOOL_FOLDER = tmp_path
    client.force_login(make_staff())

    assert (
        "The spool cannot be used. If the database fails, messages will be rejected."
        in client.get("/reports/system/").content.decode()
    )
    assert scrape(client)["calltally_spool_up",] == 0


def test_managers_cannot_see_the_page_system(client, number):
    client.force_login(make_user(numbers=[number]))

    assert client.get("/reports/system/").status_code == 403
    assert "/reports/system/" not in client.get("/reports/").content.decode()


# --- Several processes -----------------------------------------------------------------------

COUNT = "from calls.ingest import metrics; metrics.count_post(200, 0.01); metrics.count_post(503, 1.5)"
TELL = """
import os, django; os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"; django.setup()
from django.test import RequestFactory
from reports.monitoring import metrics
print(metrics(RequestFactory().get("/metrics")).content.decode())
"""


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        check=True,
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    return done.stdout


def print_metrics(web, intake):
    return run(TELL, PROMETHEUS_MULTIPROC_DIR=str(web), INTAKE_METRICS_DIR=str(intake))


@pytest.fixture
def folders(tmp_path):
    """The folders with the counters of the web processes and of the intake process."""
    web, intake = tmp_path / "web", tmp_path / "intake"
    web.mkdir()
    intake.mkdir()
    return web, intake


def test_web_and_intake_processes_have_separate_counters(folders):
    """In files, as prometheus_client does if PROMETHEUS_MULTIPROC_DIR is set."""
    web, intake = folders
    for folder in (web, web, intake):
        run(COUNT, PROMETHEUS_MULTIPROC_DIR=str(folder))

    metrics = print_metrics(web, intake)

    for process, count in (("web", "2.0"), ("intake", "1.0")):
        assert f'calltally_posts_total{{answer="200",process="{process}"}} {count}\n' in metrics
        assert f'calltally_posts_total{{answer="503",process="{process}"}} {count}\n' in metrics
        assert f'calltally_post_seconds_bucket{{le="0.01",process="{process}"}} {count}\n' in metrics
        assert f'calltally_post_seconds_count{{process="{process}"}} {int(count[0]) * 2}.0\n' in metrics
    assert metrics.count("# TYPE calltally_posts_total counter") == 1


def test_no_counter_decreases_when_the_other_process_restarts(folders):
    """A sum of both would decrease: Prometheus would count the remaining value again, and an alert would fire."""
    web, intake = folders
    for folder in folders:
        run(COUNT, PROMETHEUS_MULTIPROC_DIR=str(folder))
    shutil.rmtree(web)
    web.mkdir()
    run("from calls.ingest import metrics", PROMETHEUS_MULTIPROC_DIR=str(web))

    metrics = print_metrics(web, intake)

    assert 'calltally_posts_total{answer="503",process="intake"} 1.0\n' in metrics
    assert 'calltally_posts_total{answer="503",process="web"} 0.0\n' in metrics


def test_counters_of_a_stopped_intake_are_left_out(folders):
    web, intake = folders
    run(COUNT, PROMETHEUS_MULTIPROC_DIR=str(web))
    intake.rmdir()

    assert 'process="intake"' not in print_metrics(web, intake)


def test_rules_and_board_add_up_both_processes_or_name_one():
    """An expression over counters without `sum` or `by` would give an alert or a line per process."""
    asked = "\n".join(path.read_text() for path in DEPLOY.glob("[pg]r*/*"))
    expressions = re.findall(r"""expr["']?: "?(.*?)"?,?$""", asked, re.MULTILINE)
    counters = re.compile(r"calltally_(posts_total|spooled|post_seconds|batch)")
    of_counters = [expression for expression in expressions if counters.search(expression)]

    assert len(of_counters) >= 5
    assert [expression for expression in of_counters if "sum" not in expression or "process=" in expression] == []


def test_the_metrics_say_whether_the_intake_answers(client, number, own_spool, settings):
    assert ("calltally_intake_up",) not in scrape(client)

    settings.INTAKE_URL = "http://127.0.0.1:1"

    assert scrape(client)["calltally_intake_up",] == 0
    client.force_login(make_staff())
    page = client.get("/reports/system/").content.decode()
    assert "The intake process does not answer." in page
    assert "systemctl status calltally-intake" in page
