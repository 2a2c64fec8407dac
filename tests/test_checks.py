"""System checks: each reports its problem and what to do, and all pass for a correct production."""

import inspect
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import environ
import psycopg
import pytest
from django.conf import settings as django_settings
from django.core import checks as django_checks
from django.db import connection

from config import checks, mail_settings
from config.embedded import Server

PRODUCTION = {
    "BEHIND_HTTPS": "true",
    "ALLOWED_HOSTS": "calls.example.com",
    "PUBLIC_URL": "https://calls.example.com",
    "TRUSTED_PROXIES": "127.0.0.1",
    "PROXY_SECRET": "a-secret-of-the-proxy-7Fq2Lx0vB9sKd8Rm",
    "METRICS_TOKEN": "a-token-of-the-tests-Zx81kQpW3n7",
    "SECRET_KEY": "a-secret-of-the-tests-7Fq2Lx0vB9sKd8RmT4yWz1QhJc6NuEp5G",
    "ACCESS_KEY_PEPPER": "a-pepper-of-the-tests-Zx81kQpW3n7",
    "ENCRYPTION_KEY": "a-key-of-the-tests-9Vc4Tn2XwLq8Rb",
    "MFA_REQUIRED": "staff",
}
SOUND = {
    "server_version_num": "180001",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "data_checksums": "on",
    "log_min_error_statement": "panic",
}


def manage(*words, **environment):
    # Without variables that the browser tests set.
    inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"}
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=django_settings.BASE_DIR,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def ids(messages):
    assert all(message.hint for message in messages)
    return [message.id for message in messages]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("checked") / "var")
    server.start()
    yield server
    server.remove()


@pytest.fixture
def intake_url():
    """The address of a socket that listens in place of the intake process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.slow
def test_a_correct_production_passes_all_checks(server, intake_url):
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE application LOGIN PASSWORD 'of the application'")
    application = server.url.replace(
        urlsplit(server.url).netloc.rpartition("@")[0], "application:of%20the%20application"
    )
    urls = {"DATABASE_URL": application, "DATABASE_OWNER_URL": server.url, "INTAKE_URL": intake_url}
    url = {"CALLTALLY_HOME": str(server.home), **urls, **PRODUCTION}
    every = ("check", "--deploy", "--database", "default", "--fail-level", "WARNING")

    before = manage(*every, **url)
    assert before.returncode == 1
    assert "calltally.E017" in before.stderr
    assert "HINT: manage.py migrate" in before.stderr
    assert manage("migrate", **url).returncode == 0
    after = manage(*every, **url)

    assert after.stderr == ""
    assert after.returncode == 0


def test_an_installation_of_make_run_passes_all_checks(server):
    done = manage("check", "--fail-level", "WARNING", DATABASE_URL=server.url, CALLTALLY_HOME=str(server.home))

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("change", "check_id"),
    [
        ({"server_version_num": "140010"}, "calltally.W014"),
        ({"server_version_num": "190000"}, "calltally.W014"),
        ({"fsync": "off"}, "calltally.W011"),
        ({"full_page_writes": "off"}, "calltally.W012"),
        ({"synchronous_commit": "off"}, "calltally.W013"),
        ({"data_checksums": "off"}, "calltally.W015"),
        ({"log_min_error_statement": "error"}, "calltally.W016"),
    ],
)
def test_a_server_with_unsafe_settings_is_reported(change, check_id):
    assert ids(checks.check_postgresql(SOUND | change, "calltally")) == [check_id]
    assert not checks.check_postgresql(SOUND, "calltally")


@pytest.mark.django_db
def test_the_unsafe_server_of_the_tests_is_reported():
    found = checks.database(databases=["default"])

    assert {"calltally.W011", "calltally.W012", "calltally.W013"} <= set(ids(found))
    assert not {"calltally.E010", "calltally.W016"} & set(ids(found))
    assert not checks.migrations(databases=["default"])


@pytest.mark.django_db
def test_a_database_that_is_away_is_an_error_that_says_what_to_do(monkeypatch):
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    try:
        assert ids(checks.database(databases=["default"])) == ["calltally.E010"]
    finally:
        connection.close()


def test_a_spool_that_cannot_be_written_or_that_others_can_read_is_reported(settings, tmp_path):
    settings.SPOOL_FOLDER = tmp_path / "spool"
    assert not checks.spool()
    assert not settings.SPOOL_FOLDER.exists()
    settings.SPOOL_FOLDER.mkdir(mode=0o700)
    assert not checks.spool()
    settings.SPOOL_FOLDER.chmod(0o755)
    assert ids(checks.spool()) == ["calltally.W002"]

    (tmp_path / "file").touch()
    settings.SPOOL_FOLDER = tmp_path / "file"
    assert ids(checks.spool()) == ["calltally.E001"]


def test_secrets_that_look_typed_are_reported(settings):
    assert not checks.secrets()
    settings.SECRET_KEY = "secret" * 10
    assert ids(checks.secrets()) == ["calltally.W003"]


def test_a_missing_encryption_key_is_reported_and_a_short_one_prevents_the_start(settings):
    settings.ENCRYPTION_KEYS = []
    assert ids(checks.encryption()) == ["calltally.W039"]
    settings.ENCRYPTION_KEYS = ["k" * 32]
    assert not checks.encryption()

    done = manage("check", ENCRYPTION_KEY="a-key-that-is-long-enough-9Vc4Tn2XwL,short")
    assert done.returncode == 1
    assert "ENCRYPTION_KEY needs at least 32 characters" in done.stderr


@pytest.mark.parametrize(
    ("url", "is_reported"),
    [
        ("postgres:////var/run/postgresql/calltally", False),
        ("postgres:///calltally", False),
        ("postgres://me:secret@localhost/calltally", False),
        ("postgres://me:secret@127.0.0.1:5433/calltally", False),
        ("postgres://me:secret@[::1]/calltally", False),
        ("postgres://me:secret@db.example.com/calltally", True),
        ("postgres://me:secret@10.0.0.5/calltally", True),
        ("postgres://me:secret@db.example.com/calltally?sslmode=require", True),
        ("postgres://me:secret@db.example.com/calltally?sslmode=verify-full", False),
    ],
)
def test_a_database_on_another_host_whose_certificate_is_not_checked_is_reported(monkeypatch, url, is_reported):
    monkeypatch.setitem(django_settings.DATABASES, "default", environ.Env.db_url_config(url))

    found = checks.verified_database()

    assert ids(found) == (["calltally.W044"] if is_reported else [])
    assert "secret" not in str(found)


@pytest.mark.parametrize(
    ("name", "value", "check_id"),
    [
        ("DEBUG", True, "calltally.E020"),
        ("ALLOWED_HOSTS", ["localhost"], "calltally.W021"),
        ("ALLOWED_HOSTS", ["*"], "calltally.W021"),
        ("BEHIND_HTTPS", False, "calltally.W022"),
        ("PROXY_SECRET", "", "calltally.W028"),
        ("METRICS_TOKEN", "", "calltally.W029"),
        ("PUBLIC_URL", "http://calls.example.com", "calltally.W024"),
    ],
)
def test_missing_settings_for_production_are_reported(settings, name, value, check_id):
    settings.DEBUG, settings.BEHIND_HTTPS, settings.TRUSTED_PROXIES = False, True, ["127.0.0.1"]
    settings.ALLOWED_HOSTS, settings.PUBLIC_URL = ["calls.example.com"], "https://calls.example.com"
    settings.PROXY_SECRET, settings.METRICS_TOKEN = "a-secret-of-the-proxy-7Fq2Lx0vB9sKd8Rm", "a-token"
    assert not checks.production()

    setattr(settings, name, value)

    assert ids(checks.production()) == [check_id]


def test_a_proxy_needs_its_secret_or_to_be_trusted(settings):
    settings.BEHIND_HTTPS, settings.TRUSTED_PROXIES, settings.PROXY_SECRET = True, [], ""
    assert {"calltally.W023", "calltally.W028"} <= set(ids(checks.production()))

    settings.PROXY_SECRET = "a-secret-of-the-proxy-7Fq2Lx0vB9sKd8Rm"
    assert not {"calltally.W023", "calltally.W028"} & set(ids(checks.production()))


@pytest.mark.parametrize(
    "secret", ["short", "with a space in it, and long enough", '"quoted-and-long-enough-for-a-secret"']
)
def test_a_proxy_secret_that_nginx_could_not_send_prevents_the_start(secret):
    done = manage("check", PROXY_SECRET=secret)

    assert done.returncode == 1
    assert "PROXY_SECRET needs at least 32 letters" in done.stderr
    assert secret not in done.stderr


def test_an_intake_that_is_missing_or_does_not_answer_is_reported(settings, intake_url):
    settings.INTAKE_URL = intake_url
    assert not checks.intake()

    settings.INTAKE_URL = "http://127.0.0.1:1"
    assert ids(checks.intake()) == ["calltally.W036"]

    settings.INTAKE_URL = ""
    assert ids(checks.intake()) == ["calltally.W035"]


def test_a_broker_that_does_not_answer_is_reported(settings):
    assert not checks.broker()
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {}

    assert ids(checks.broker()) == ["calltally.E025"]


@pytest.mark.parametrize(
    ("url", "sender", "check_id"),
    [
        ("", "", None),
        ("", "calltally@example.com", None),
        ("smtp+tls://user:pass%40word@mail.example.com:587", "Calltally <calltally@example.com>", None),
        ("smtp://localhost", "calltally@example.com", None),
        ("mail.example.com", "calltally@example.com", "calltally.W026"),
        ("https://user:word@mail.example.com", "calltally@example.com", "calltally.W026"),
        ("smtps://user:word@mail.example.com", "calltally@example.com", "calltally.W026"),
        ("smtp://user:wo/rd@mail.example.com", "calltally@example.com", "calltally.W026"),
        ("smtp://user:wo#rd@mail.example.com", "calltally@example.com", "calltally.W026"),
        ("smtp://user:word@mail.example.com:many", "calltally@example.com", "calltally.W026"),
        ("smtp://localhost:25", "", "calltally.W027"),
        ("smtp://localhost:25", "calltally", "calltally.W027"),
    ],
)
def test_mail_that_cannot_be_sent_is_reported_without_its_password(settings, url, sender, check_id):
    read = mail_settings.read(url, sender)
    settings.WRONG_FOR_MAIL = read.wrong

    messages = checks.mail()

    assert ids(messages) == ([check_id] if check_id else [])
    assert read.sends == bool(url and not check_id)
    assert not any("word@" in message.msg or "wo/rd" in message.msg for message in messages)


def test_the_settings_for_mail_follow_from_email_url():
    read = mail_settings.read("smtp+tls://calls%40example.com:pass%2Fword@mail.example.com", "calltally@example.com")

    assert read.settings == {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": "mail.example.com",
        "EMAIL_PORT": 587,
        "EMAIL_HOST_USER": "calls@example.com",
        "EMAIL_HOST_PASSWORD": "pass/word",
        "EMAIL_USE_TLS": True,
        "EMAIL_USE_SSL": False,
    }


def test_the_command_reports_a_missing_sender_and_no_password(server):
    url = "smtp://user:hidden-word@mail.example.com"
    done = manage("check", EMAIL_URL=url, DATABASE_URL=server.url, CALLTALLY_HOME=str(server.home))

    assert done.returncode == 0
    assert "calltally.W027" in done.stderr
    assert "hidden-word" not in done.stderr + done.stdout


def test_every_check_is_registered_and_described():
    described = (django_settings.BASE_DIR / "docs/running.md").read_text()
    files = ("config/checks.py", "live/state.py", "live/dispatch/dispatcher_state.py")
    source = "".join((django_settings.BASE_DIR / name).read_text() for name in files)
    known = {word for part in source.split() if "calltally." in part and (word := part.strip('",)]'))[-3:].isdigit()}
    known = {word[word.index("calltally.") :] for word in known}

    assert len(known) == 32, "a check was added or removed: correct this number"
    assert {check_id for check_id in known if f"`{check_id.removeprefix('calltally.')}`" not in described} == set()
    registry = django_checks.registry.registry
    registered = {*registry.registered_checks, *registry.deployment_checks}
    functions = [function for _name, function in inspect.getmembers(checks, inspect.isfunction)]
    ours = {function for function in functions if "app_configs" in inspect.signature(function).parameters}
    unregistered = sorted(check.__name__ for check in ours - registered)
    assert not unregistered, f"register in config/apps.py: {unregistered}"
    assert {checks.spool, checks.threads, checks.database, checks.mail} <= set(registry.registered_checks)
    assert {
        checks.secrets,
        checks.encryption,
        checks.second_factor,
        checks.migrations,
        checks.production,
        checks.intake,
        checks.broker,
    } <= set(registry.deployment_checks)


HEADERS = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from django.test import Client
client = Client(headers={"host": "calls.example.com"})
asked = {"calltallyproxy": os.environ["PROXY_SECRET"] + " 203.0.113.9 https", "x-forwarded-proto": "http"}
page = client.get("/accounts/login/", headers=asked)
cookie = page.cookies["__Host-csrftoken"]
print(page.status_code, page["Strict-Transport-Security"], cookie["secure"], cookie["httponly"], cookie["samesite"])
print(cookie["path"], repr(cookie["domain"]))
from django.contrib.auth.models import User
User.objects.create_user("mona", password="a-long-password")
signed_in = client.post("/accounts/login/", {"username": "mona", "password": "a-long-password"}, headers=asked)
for name in ("__Host-sessionid", "__Host-calltally_device"):
    cookie = signed_in.cookies[name]
    print(cookie["secure"], cookie["httponly"], cookie["samesite"], cookie["path"], repr(cookie["domain"]))
client.logout()
for claims in ({}, {"x-forwarded-proto": "https"}):
    page = client.get("/accounts/login/", secure=True, headers=claims)
    print(page.status_code, page["Location"])
for path in ("/tenios/posts", "/tenios/posts/"):
    print(client.put(path).status_code)
token = {"authorization": "Bearer " + os.environ["METRICS_TOKEN"]}
for path in ("/metrics", "/healthz"):
    for headers in ({}, token):
        answer = client.get(path, headers={"host": "127.0.0.1"} | headers)
        print(answer.status_code, answer.content.decode() == '{"status": "ok"}')
"""


@pytest.mark.slow
def test_behind_https_pages_and_cookies_need_https_and_no_post_is_redirected(server):
    environment = os.environ | PRODUCTION | {"DATABASE_URL": server.url, "CALLTALLY_HOME": str(server.home)}
    for command in (("migrate",), ("collectstatic", "--noinput")):
        assert manage(*command, **environment).returncode == 0
    printed = subprocess.run(
        [sys.executable, "-c", HEADERS],
        cwd=django_settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.splitlines() == [
        "200 max-age=31536000 True True Lax",
        "/ ''",
        "True True Lax / ''",
        "True True Lax / ''",
        "301 https://calls.example.com/accounts/login/",
        "301 https://calls.example.com/accounts/login/",
        "405",
        "405",
        "404 False",
        "200 False",
        "200 True",
        "200 False",
    ]
