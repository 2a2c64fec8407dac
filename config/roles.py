"""The roles of the database: the owner of its tables, the application, and the intake.

The owner creates and changes tables (`migrate`, `backup`, `restore`, `merge_audit`). The application reads and writes
rows. The intake has the rights that storing posts needs. Without DATABASE_OWNER_URL the role of DATABASE_URL does
everything."""

from __future__ import annotations

import contextlib
import getpass
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import environ
from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

from config import embedded

# The names that `manage.py database_roles` gives.
OWNER, INTAKE = "calltally_owner", "calltally_intake"
# Tables of which the application may only read rows: which migrations were applied is the owner's to say.
READ_ONLY = ("django_migrations",)
# Tables to which the application may only add rows, with the function that deletes old ones as the owner.
APPEND_ONLY = {"accounts_auditentry": "accounts_expire_audit"}
# What storing posts needs, in the intake and in the drainer.
OF_INTAKE = {
    "calls_accesskey": "SELECT",
    "calls_call": "SELECT, INSERT, UPDATE, DELETE",
    "calls_callevent": "SELECT, INSERT, UPDATE",
    "calls_changedquarterhour": "SELECT, INSERT",
    "calls_destinationnumber": "SELECT",
    "calls_refusedpost": "SELECT, INSERT, UPDATE, DELETE",
    "calls_senderpolicy": "SELECT",
}
# Of a URL of the database, what says who connects to which one.
_WHO = ("HOST", "NAME", "PASSWORD", "PORT", "USER")


@dataclass(frozen=True)
class Roles:
    """Names of roles. The intake's is blank if it has none of its own."""

    owner: str
    application: str
    intake: str


def known_roles() -> Roles | None:
    """Return the roles of this installation; None if one does everything."""
    if settings.USES_EMBEDDED_DATABASE:
        return Roles(embedded.OWNER, embedded.APPLICATION, embedded.INTAKE)
    if not settings.DATABASE_OWNER_URL:
        return None
    intake = _read(settings.INTAKE_DATABASE_URL)["USER"] if settings.INTAKE_DATABASE_URL else ""
    return Roles(_read(settings.DATABASE_OWNER_URL)["USER"], application(), intake)


def application() -> str:
    """Return the role of DATABASE_URL; without a name PostgreSQL takes that of the user of the system."""
    return _read(settings.DATABASE_URL)["USER"] or getpass.getuser()


@contextlib.contextmanager
def as_owner() -> Iterator[None]:
    """Connect to the database as the owner of its tables, if that is another role."""
    if known_roles() is None:
        yield
        return
    # The port of the embedded database changes, so its address is read only now.
    url = embedded.saved_url(settings.HOME) if settings.USES_EMBEDDED_DATABASE else settings.DATABASE_OWNER_URL
    before = {name: connection.settings_dict.get(name) for name in _WHO}
    connection.close()
    connection.settings_dict.update(_read(url))
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


def give_rights() -> None:
    """As the owner: give application and intake their rights to the tables that there are now, and no others. An owner
    that is a superuser, as in the embedded database and in containers, makes these roles before."""
    if (roles := known_roles()) is None:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        if _is_superuser(cursor):
            for role, password in _passwords().items():
                _make_role(cursor, role, password)
        for statement in rights(roles, connection.settings_dict["NAME"], connection.introspection.table_names(cursor)):
            cursor.execute(statement)


def rights(roles: Roles, database: str, tables: Collection[str]) -> Iterator[sql.Composed]:
    """Yield the statements that give the rights to `tables`, and take away all others."""
    writer, intake = sql.Identifier(roles.application), sql.Identifier(roles.intake)
    for role in (writer, intake) if roles.intake else (writer,):
        yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), role)
        yield sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role)
        yield sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(role)
    # Imports of contacts use temporary tables.
    yield sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(sql.Identifier(database), writer)
    yield sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}").format(writer)
    yield sql.SQL("GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(writer)
    for table in sorted(set(READ_ONLY) & set(tables)):
        yield sql.SQL("REVOKE INSERT, UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(table), writer)
    for table, expire in sorted(APPEND_ONLY.items()):
        if table in tables:
            yield sql.SQL("REVOKE UPDATE, DELETE ON {} FROM {}").format(sql.Identifier(table), writer)
            yield sql.SQL("GRANT EXECUTE ON FUNCTION {}() TO {}").format(sql.Identifier(expire), writer)
    if roles.intake:
        for table in sorted(OF_INTAKE.keys() & set(tables)):
            given = sql.SQL(OF_INTAKE[table])
            yield sql.SQL("GRANT {} ON {} TO {}").format(given, sql.Identifier(table), intake)


def script(database: str, tables: Collection[str]) -> tuple[str, dict[str, str]]:
    """Return the statements with which a superuser makes the roles of an installation in which one did everything until
    now, as one text; and the passwords of the new ones."""
    roles = Roles(OWNER, application(), INTAKE)
    passwords = {OWNER: secrets.token_urlsafe(32), INTAKE: secrets.token_urlsafe(32)}
    owner, name = sql.Identifier(OWNER), sql.Identifier(database)
    statements: list[sql.Composable] = [sql.SQL("BEGIN")]
    for role, password in passwords.items():
        statements += [
            _with_password("CREATE", role, password),
            # So that callers' numbers are not in the log of PostgreSQL.
            sql.SQL("ALTER ROLE {} SET log_min_error_statement = 'panic'").format(sql.Identifier(role)),
        ]
    statements += [
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner),
        sql.SQL("GRANT USAGE, CREATE ON SCHEMA public TO {}").format(owner),
        sql.SQL("REASSIGN OWNED BY {} TO {}").format(sql.Identifier(roles.application), owner),
        *rights(roles, database, tables),
        sql.SQL("COMMIT"),
    ]
    return "".join(f"{statement.as_string(connection.connection)};\n" for statement in statements), passwords


def may_change_tables() -> bool:
    """Return whether the role that is connected could change or empty a table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper OR has_schema_privilege('public', 'CREATE') OR EXISTS (SELECT FROM pg_class AS one "
            "WHERE one.relnamespace = 'public'::regnamespace AND pg_has_role(one.relowner, 'USAGE')) "
            "FROM pg_roles WHERE rolname = current_user"
        )
        ((may,),) = cursor.fetchall()
    return bool(may)


def _is_superuser(cursor: Any) -> bool:
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(cursor.fetchone()[0])


def _passwords() -> dict[str, str]:
    """Return the passwords of application and intake by their roles. A role that connects without one is left out."""
    if settings.USES_EMBEDDED_DATABASE:
        known = embedded.read_secrets(settings.HOME)
        return {role: known[embedded.PASSWORDS[role]] for role in (embedded.APPLICATION, embedded.INTAKE)}
    addresses = [_read(url) for url in (settings.DATABASE_URL, settings.INTAKE_DATABASE_URL) if url]
    return {address["USER"]: address["PASSWORD"] for address in addresses if address["PASSWORD"]}


def _make_role(cursor: Any, role: str, password: str) -> None:
    """Create a role, or give it this password again."""
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    cursor.execute(_with_password("ALTER" if cursor.fetchone() else "CREATE", role, password))


def _with_password(verb: str, role: str, password: str) -> sql.Composed:
    """Return a statement with the password as the server stores it, so that the password itself is in no log."""
    connection.ensure_connection()
    stored: bytes = connection.connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    values = sql.SQL(verb), sql.Identifier(role), sql.Literal(stored.decode())
    return sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(*values)


def _read(url: str) -> dict[str, Any]:
    known = environ.Env.db_url_config(url, engine="config.database")
    return {name: known[name] for name in _WHO if name in known}
