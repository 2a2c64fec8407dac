"""Setup of all tests: secrets, a separate home, a database, a clean writer; and Chromium for tests/browser."""

import fcntl
import os
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

# Set before Django reads its settings, which pytest-django does once this file is loaded. This file, not
# pyproject.toml, names the settings, because the embedded database must be started first.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("SECRET_KEY", "for tests alone, and long enough for Django to be content with it")
os.environ.setdefault("ACCESS_KEY_PEPPER", "for tests alone, also long enough")
# Tests of the second factor ask for one.
os.environ.setdefault("MFA_REQUIRED", "none")
_home = tempfile.TemporaryDirectory(prefix="calltally-home-")
os.environ["CALLTALLY_HOME"] = _home.name

import hypothesis  # noqa: E402 (the environment comes first)
import psycopg  # noqa: E402
import pytest  # noqa: E402

from config import embedded  # noqa: E402
from tests.chromium import find_fast_browser  # noqa: E402

HOMES = "calltally-test-database-"
# The data is deleted afterwards, so it need not survive a power cut.
FAST_AND_LOOSE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# The address of the database for the application, where the role of DATABASE_URL owns the tables.
APPLICATION_URL = "CALLTALLY_TEST_APPLICATION_URL"
MADE_BY_MIGRATE = {"django_content_type", "auth_permission"}
# The door of the tests: its triggers refuse to delete rows, and only the owner of the table can disable them.
ONLY_ADDED = "accounts_auditentry"
# Of these, only rows of groups that tests have created are deleted: the column that holds the id of the group.
GROUPS = {"auth_group": "id", "auth_group_permissions": "group_id"}

# No deadline: the duration of an example depends on the machine more than on our code.
hypothesis.settings.register_profile("calltally", deadline=None)
hypothesis.settings.load_profile("calltally")

_server = pytest.StashKey[embedded.Server]()
_lock = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("help", False) or config.getoption("version", 0):
        return
    if os.environ.get("CALLTALLY_TEST_FULL"):
        config.option.timeout = 0  # the rounds take hours
    if not os.environ.get("DATABASE_URL"):
        start_database(config)

    from django.conf import settings

    # Static files with unhashed names directly from the apps, so that tests do not need collectstatic.
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)
    # A fast hash: tests sign in often, and the strength of password hashes is not tested.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def start_database(config: pytest.Config) -> None:
    """Start an embedded PostgreSQL for this test run. Workers of xdist inherit its address."""
    _sweep()
    home = Path(tempfile.mkdtemp(prefix=HOMES))
    if os.geteuid() == 0:
        home.chmod(0o711)  # the server runs as another user and must pass through
    config.stash[_lock] = _hold(home)
    server = config.stash[_server] = embedded.Server(home, FAST_AND_LOOSE, print)
    server.start()
    with psycopg.connect(server.url, autocommit=True) as connection:
        # It may become the owner, but only where a test says so: tests.owner.
        password = embedded.read_secrets(home)[embedded.PASSWORDS[embedded.APPLICATION]]
        connection.execute(f"CREATE ROLE {embedded.APPLICATION} LOGIN NOINHERIT PASSWORD '{password}'")
        connection.execute(f"GRANT {embedded.OWNER} TO {embedded.APPLICATION}")
    os.environ["DATABASE_URL"] = server.url
    os.environ[APPLICATION_URL] = embedded.saved_url(home, embedded.APPLICATION)


def pytest_unconfigure(config: pytest.Config) -> None:
    _home.cleanup()  # workers of xdist end without this
    if server := config.stash.get(_server, None):
        server.remove()
        shutil.rmtree(server.home, ignore_errors=True)
        os.close(config.stash[_lock])
        del os.environ["DATABASE_URL"], os.environ[APPLICATION_URL]


def _hold(home: Path) -> int:
    descriptor = os.open(home / "held", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _sweep() -> None:
    """Stop and remove what killed test runs left: homes whose lock is free."""
    for held in Path(tempfile.gettempdir()).glob(f"{HOMES}*/held"):
        try:
            descriptor = _hold(held.parent)
        except OSError:
            continue  # of another user, or in use
        embedded.Server(held.parent).remove()
        shutil.rmtree(held.parent, ignore_errors=True)
        os.close(descriptor)


def and_in_full(short: list, *more: object) -> list:
    """Return the cases that every run has; with CALLTALLY_TEST_FULL, the others too."""
    return [*short, *more] if os.environ.get("CALLTALLY_TEST_FULL") else short


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent / "browser"
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")
            item.add_marker("slow")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and find_fast_browser() is None:
        if os.environ.get("CALLTALLY_REQUIRE_BROWSER") == "1":
            pytest.fail("no Chromium on this machine, and CALLTALLY_REQUIRE_BROWSER=1 demands one", pytrace=False)
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")


@pytest.fixture(scope="session", autouse=True)
def _owner(django_db_setup, django_db_blocker):
    """Connect as the application from now on, so that what pages and workers may not do fails in every test. Return how
    its owner connects."""
    from django.db import connection

    from config import roles

    used = connection.settings_dict
    owner = {name: used[name] for name in ("USER", "PASSWORD")}
    if url := os.environ.get(APPLICATION_URL):
        names = roles.Roles(owner["USER"], embedded.APPLICATION, intake="")
        with django_db_blocker.unblock():
            with connection.cursor() as cursor:
                for statement in roles.rights(names, used["NAME"], connection.introspection.table_names(cursor)):
                    cursor.execute(statement)
                # Tests of migrations make tables again.
                for kind, given in (("TABLES", "SELECT, INSERT, UPDATE, DELETE"), ("SEQUENCES", "SELECT, USAGE")):
                    cursor.execute(f"ALTER DEFAULT PRIVILEGES GRANT {given} ON {kind} TO {embedded.APPLICATION}")
            connection.close()
        used.update(USER=urlsplit(url).username, PASSWORD=urlsplit(url).password)
    yield owner
    with django_db_blocker.unblock():
        connection.close()
    used.update(owner)


@pytest.fixture(scope="session", autouse=True)
def _delete_rows_after_each_test(_owner):
    """Delete rows after each test. Django would truncate all tables and create the initial rows again, which takes ten
    times as long; and most of its command `flush` is not about rows."""
    from django.contrib.contenttypes.management import create_contenttypes
    from django.db import connection
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.signals import post_migrate
    from django.test import TransactionTestCase

    # By name: sessions whose tests need no database have none to ask for ids.
    names = ", ".join(f"'{name}'" for name in import_module("calls.migrations.0010_groups").GROUPS)
    kept = f"SELECT id FROM auth_group WHERE name IN ({names})"
    # Django closes its own connections after each test, and a new one has nothing prepared.
    own: list[BaseDatabaseWrapper] = []

    def connect():
        """Open a connection, and make a function that has its statements prepared and looks which tables have rows."""
        own.append(connection.copy())
        own[0].settings_dict.update(_owner)
        tables = {*connection.introspection.django_table_names(only_existing=True, include_views=False)}
        deletes = [
            f"IF EXISTS (SELECT FROM {name}) THEN DELETE FROM {name}; END IF;"
            for name in map(connection.ops.quote_name, tables - MADE_BY_MIGRATE - {*GROUPS, ONLY_ADDED})
        ]
        deletes.append(
            f"IF EXISTS (SELECT FROM {ONLY_ADDED}) THEN ALTER TABLE {ONLY_ADDED} DISABLE TRIGGER USER; "
            f"DELETE FROM {ONLY_ADDED}; ALTER TABLE {ONLY_ADDED} ENABLE TRIGGER USER; END IF;"
        )
        deletes += [f"DELETE FROM {table} WHERE {column} NOT IN ({kept});" for table, column in GROUPS.items()]
        with own[0].cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION pg_temp.delete_rows() RETURNS void LANGUAGE plpgsql AS "
                f"$$ BEGIN {''.join(deletes)} END $$"
            )

    def delete_rows(*_):
        connection.close()  # it may have left a transaction open
        if own and not own[0].is_usable():  # a test has ended all sessions
            own.pop().close()
        if not own:
            connect()
        with own[0].cursor() as cursor:
            cursor.execute("SELECT pg_temp.delete_rows()")

    TransactionTestCase._fixture_teardown = delete_rows
    post_migrate.disconnect(create_contenttypes)
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    yield delete_rows
    for connected in own:
        connected.close()


@pytest.fixture(scope="session", autouse=True)
def _close_writer(django_db_setup):
    """Close the writer after the last test, before its database is deleted."""
    yield
    from calls.ingest import intake
    from reports import monitoring

    intake.get_intake().close()
    monitoring.close()


@pytest.fixture(autouse=True)
def _nothing_kept():
    """Begin each test without what a process knows for a minute."""
    from reports.queries import trouble

    trouble.forget()


@pytest.fixture(autouse=True)
def _patient_intake(request, monkeypatch):
    """Let the intake wait for a database that a busy machine has stopped for a while. Otherwise posts that a test needs
    in the database would go to the spool after 0.75 seconds."""
    from calls.ingest import intake

    if not request.node.get_closest_marker("time_limits"):
        monkeypatch.setattr(intake, "WAIT_FOR_DATABASE_S", 30.0)
        monkeypatch.setattr(intake, "WAIT_S", 60.0)
