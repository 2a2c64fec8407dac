"""Each process of an installation connects as a role that can do no more to the database than it has to."""

import re
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors

from config import embedded, roles
from config.embedded import Server
from tests.conftest import FAST_AND_LOOSE
from tests.test_deploy import DEPLOY, PASSWORDS_IN_CONTAINERS, read_yaml
from tests.test_quickstart import manage

pytestmark = pytest.mark.slow

ONE = "calltally_one"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The embedded database of an installation from before there were roles."""
    server = Server(tmp_path_factory.mktemp("roles") / "var", FAST_AND_LOOSE)
    server.start()
    environment = server.home / "env"
    kept = [line for line in environment.read_text().splitlines(keepends=True) if "EMBEDDED_APP" not in line]
    environment.write_text("".join(line for line in kept if "EMBEDDED_INTAKE" not in line))
    yield server
    server.remove()


@pytest.fixture(scope="module")
def urls(server):
    """The addresses of the embedded database by role, after an update."""
    embedded.make_secrets(server.home)  # as each start does
    done = manage(server.home, "migrate")
    assert done.returncode == 0, done.stderr
    return {role: embedded.saved_url(server.home, role) for role in embedded.PASSWORDS}


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another server, as an operator has it."""
    server = Server(tmp_path_factory.mktemp("other") / "var", FAST_AND_LOOSE)
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def separate(other, tmp_path_factory):
    """The addresses of an installation with a database of its own, in which one role did everything until its operator
    followed the docs."""
    server = other
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {ONE} LOGIN PASSWORD 'of one'")
        connection.execute(f"CREATE DATABASE {ONE} OWNER {ONE}")
    port = urlsplit(server.url).port
    application = f"postgres://{ONE}:of%20one@127.0.0.1:{port}/{ONE}"
    assert manage(server.home, "migrate", DATABASE_URL=application).returncode == 0
    assert manage(server.home, "add_number", "+4930999999", DATABASE_URL=application).returncode == 0
    file = tmp_path_factory.mktemp("sql") / "roles.sql"
    made = manage(server.home, "database_roles", str(file), DATABASE_URL=application)
    assert made.returncode == 0, made.stderr
    printed = dict(re.findall(r"^(\w+)=(postgres://\S+)$", made.stdout, re.MULTILINE))
    with psycopg.connect(server.url.rpartition("/")[0] + f"/{ONE}", autocommit=True) as connection:
        connection.execute(file.read_text())
    return {"DATABASE_URL": application, **printed}


@pytest.fixture(scope="module")
def contained(tmp_path_factory):
    """The server of an installation in containers in which one role did everything until now."""
    server = Server(tmp_path_factory.mktemp("contained") / "var", FAST_AND_LOOSE)
    server.start()
    assert manage(server.home, "migrate", DATABASE_URL=server.url).returncode == 0
    assert manage(server.home, "add_number", "+4930999999", DATABASE_URL=server.url).returncode == 0
    yield server
    server.remove()


def addresses(server, mark):
    """Return by container of compose.yaml which addresses of the database it has; `mark` makes up the passwords."""
    values = {name: f"{name}{mark}" for name in PASSWORDS_IN_CONTAINERS}
    values["POSTGRES_PASSWORD"] = urlsplit(server.url).password
    text = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda name: values[name[1]], (DEPLOY / "compose.yaml").read_text())
    services = read_yaml(text.replace("@postgres/", f"@127.0.0.1:{urlsplit(server.url).port}/"))["services"]
    return {
        name: {key: value for key, value in service["environment"].items() if value.startswith("postgres://")}
        for name, service in services.items()
        if service["image"] == "calltally"
    }


def refused(url, statement):
    """Return whether the database refuses a statement of this role for lack of rights."""
    with psycopg.connect(url) as connection:
        try:
            connection.execute(statement)
        except errors.InsufficientPrivilege:
            return True
        finally:
            connection.rollback()
    return False


CHANGES = [
    "DROP TABLE calls_call CASCADE",
    "TRUNCATE calls_changedquarterhour",
    "ALTER TABLE calls_call ADD COLUMN more int",
    "ALTER TABLE auth_user DISABLE TRIGGER ALL",
    "CREATE TABLE more (id int)",
    "DELETE FROM django_migrations",
    "CREATE ROLE another",
    "COPY calls_call TO PROGRAM 'cat'",
    "SELECT pg_read_file('PG_VERSION')",
    f"SET ROLE {embedded.OWNER}",
]


@pytest.mark.parametrize("statement", CHANGES)
def test_the_application_and_the_intake_change_no_table(urls, statement):
    assert not refused(urls[embedded.OWNER], statement), "the statement is right"
    assert refused(urls[embedded.APPLICATION], statement)
    assert refused(urls[embedded.INTAKE], statement)


def test_the_application_reads_and_writes_rows_of_every_table_but_the_audit(urls):
    with psycopg.connect(urls[embedded.APPLICATION]) as connection:
        tables = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
        assert len(tables) > 40
        for table in tables - {*roles.READ_ONLY, *roles.APPEND_ONLY}:
            connection.execute(f"SELECT FROM {table} LIMIT 1")
            connection.execute(f"DELETE FROM {table} WHERE false")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_auditentry SET actor = 'nobody'",
        "DELETE FROM accounts_auditentry",
        "TRUNCATE accounts_auditentry",
        "ALTER TABLE accounts_auditentry DISABLE TRIGGER USER",
        "DROP TRIGGER audit_entry_stays ON accounts_auditentry",
        "CREATE OR REPLACE FUNCTION accounts_expire_audit() RETURNS bigint LANGUAGE sql AS 'DELETE FROM auth_user'",
    ],
)
def test_the_application_only_adds_to_the_audit(urls, statement):
    assert not refused(urls[embedded.APPLICATION], "SELECT FROM accounts_auditentry")
    assert not refused(urls[embedded.APPLICATION], "SELECT accounts_expire_audit()")
    assert refused(urls[embedded.APPLICATION], statement)
    assert refused(urls[embedded.INTAKE], "SELECT FROM accounts_auditentry")
    assert refused(urls[embedded.INTAKE], "SELECT accounts_expire_audit()")


def test_the_intake_reaches_nothing_but_what_storing_posts_needs(urls):
    with psycopg.connect(urls[embedded.INTAKE]) as connection:
        rights = connection.execute(
            "SELECT table_name, string_agg(privilege_type, ', ' ORDER BY privilege_type) "
            "FROM information_schema.role_table_grants WHERE grantee = current_user GROUP BY table_name"
        ).fetchall()
    assert dict(rights) == {table: ", ".join(sorted(given.split(", "))) for table, given in roles.OF_INTAKE.items()}
    for table in ("auth_user", "django_session", "reports_rollup", "contacts_contact", "live_endpoint"):
        assert refused(urls[embedded.INTAKE], f"SELECT FROM {table}")
    assert refused(urls[embedded.INTAKE], "UPDATE calls_accesskey SET destination_number_id = 1")


def test_an_installation_with_its_own_database_is_led_to_separate_roles(other, separate):
    port = urlsplit(other.url).port
    assert set(separate) == {"DATABASE_URL", "DATABASE_OWNER_URL", "INTAKE_DATABASE_URL"}
    assert all(urlsplit(url).port == port for url in separate.values())
    with psycopg.connect(separate["DATABASE_URL"]) as connection:
        assert connection.execute("SELECT count(*) FROM calls_destinationnumber").fetchone() == (1,), "nothing is lost"
    assert refused(separate["DATABASE_URL"], "DROP TABLE calls_call")
    assert not refused(separate["INTAKE_DATABASE_URL"], "SELECT FROM calls_accesskey")
    assert refused(separate["INTAKE_DATABASE_URL"], "SELECT FROM auth_user")

    # The next update adds a table, and gives the others their rights to it.
    with psycopg.connect(separate["DATABASE_OWNER_URL"]) as connection:
        connection.execute("CREATE TABLE calls_more AS SELECT 1 AS one")
    assert refused(separate["DATABASE_URL"], "SELECT FROM calls_more")
    done = manage(other.home, "migrate", **separate)
    assert done.returncode == 0, done.stderr
    assert not refused(separate["DATABASE_URL"], "SELECT FROM calls_more")
    assert refused(separate["INTAKE_DATABASE_URL"], "SELECT FROM calls_more")

    again = manage(other.home, "database_roles", "never.sql", **separate)
    assert again.returncode == 1
    assert "calltally_owner owns the tables" in again.stderr


def test_backup_and_restore_work_as_the_owner_and_leave_the_rights_as_they_were(other, separate, tmp_path):
    file = tmp_path / "calls.dump"
    assert manage(other.home, "backup", str(file), **separate).returncode == 0

    done = manage(other.home, "restore", str(file), "--yes", **separate)

    assert done.returncode == 0, done.stderr
    assert refused(separate["DATABASE_URL"], "DROP TABLE calls_call")
    assert not refused(separate["DATABASE_URL"], "SELECT FROM auth_user")
    assert not refused(separate["INTAKE_DATABASE_URL"], "SELECT FROM calls_accesskey")
    without = {name: url for name, url in separate.items() if name != "DATABASE_OWNER_URL"}
    before = manage(other.home, "restore", str(file), "--yes", **without)
    assert before.returncode == 1
    assert "Nothing was changed" in before.stderr
    assert not refused(separate["DATABASE_URL"], "SELECT FROM auth_user")


def test_production_is_warned_while_one_role_does_everything(other, separate):
    every = ("check", "--deploy", "--database", "default")
    assert "calltally.W042" in manage(other.home, *every, DATABASE_URL=other.url).stderr
    without = {name: url for name, url in separate.items() if name != "DATABASE_OWNER_URL"}
    assert "calltally.W043" in manage(other.home, *every, **without).stderr
    assert not re.search(r"calltally\.W04[23]", manage(other.home, *every, **separate).stderr)


def test_containers_get_separate_roles_at_their_next_start(contained):
    containers = addresses(contained, "1")
    web, intake = containers["web"]["DATABASE_URL"], containers["intake"]["DATABASE_URL"]

    done = manage(contained.home, "migrate", **containers["migrate"])

    assert done.returncode == 0, done.stderr
    with psycopg.connect(web) as connection:
        assert connection.execute("SELECT count(*) FROM calls_destinationnumber").fetchone() == (1,), "nothing is lost"
    assert refused(web, "DROP TABLE calls_call")
    assert refused(web, "DELETE FROM accounts_auditentry")
    assert not refused(intake, "SELECT FROM calls_accesskey")
    assert refused(intake, "SELECT FROM auth_user")
    checked = manage(contained.home, "check", "--deploy", "--database", "default", **containers["migrate"])
    assert not re.search(r"calltally\.W04[23]", checked.stderr)


def test_containers_take_over_new_passwords_of_roles(contained):
    for mark in ("1", "2"):
        containers = addresses(contained, mark)
        assert manage(contained.home, "migrate", **containers["migrate"]).returncode == 0

    psycopg.connect(containers["web"]["DATABASE_URL"]).close()
    psycopg.connect(containers["intake"]["DATABASE_URL"]).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(addresses(contained, "1")["web"]["DATABASE_URL"])


def test_a_file_that_exists_is_not_replaced(other, tmp_path):
    file = tmp_path / "roles.sql"
    file.write_text("mine")
    done = manage(other.home, "database_roles", str(file), DATABASE_URL=other.url)
    assert (done.returncode, file.read_text()) == (1, "mine")
    assert "cannot be written: File exists" in done.stderr
