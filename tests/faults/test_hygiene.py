"""After every kind of error, no access key is stored or logged, and callers are only where calls are stored."""

import contextlib
import http.cookiejar
import json
import os
import re
import signal
import urllib.error
import urllib.parse
import urllib.request

import pytest

from config.embedded import Server
from tests.factories import post_body
from tests.faults.client import Client, at_once
from tests.faults.system import ACCESS_KEY, E164, System, wait_until

pytestmark = pytest.mark.faults

BROUGHT = "brought-by-staff-7Qx1Vb9Lk2"
WRONG = "a-wrong-key-5Rt8Nm3Zw6"
PASSWORD = "a-password-to-be-looked-for"
CALLER = "+4915255501234567"[:14]
DIGITS = "typed-9081726354"
KEYS = (ACCESS_KEY, BROUGHT, WRONG, PASSWORD)


@pytest.fixture(scope="module")
def system(prepared, tmp_path_factory):
    system = System(tmp_path_factory.mktemp("hygiene") / "var", DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    try:
        system.start(prepared)
        yield system
    finally:
        system.stop()


class Browser:
    """A client of a staff user, with cookies."""

    def __init__(self, system):
        self._address = f"http://127.0.0.1:{system.port}"
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))

    def get(self, path):
        with contextlib.closing(self._opener.open(self._address + path, timeout=30)) as answer:
            return answer.read().decode()

    def post(self, path, **fields):
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', self.get(path))
        form = urllib.parse.urlencode(dict(hidden) | fields).encode()
        with contextlib.closing(self._opener.open(self._address + path, form, timeout=30)) as answer:
            return answer.read().decode()


def send(system, body):
    """Send a post and return the status."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{system.port}/tenios/posts", raw, {"Content-Type": "application/json"}
    )
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def one_post(kind="CALL_START", key=ACCESS_KEY, **more):
    return post_body(kind, E164, key, caller_id_number=CALLER, collected_digits=DIGITS, **more)


def files_below(*folders):
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                with contextlib.suppress(OSError):
                    yield path, path.read_bytes()


def test_no_key_is_stored_or_logged_and_no_caller_is_logged(system):
    browser = Browser(system)
    assert "Too many" not in browser.post("/accounts/login/", username="admin", password=PASSWORD)
    # Accepted and refused posts.
    assert [send(system, one_post(kind)) for kind in ("CALL_START", "BLOCK_END", "CALL_END")] == [200] * 3
    assert send(system, one_post(key=WRONG)) == 403
    assert send(system, one_post(requestType=None)) == 400
    assert send(system, f'{{"accessKey": "{ACCESS_KEY}", "caller": "{CALLER}", broken'.encode()) == 400
    # Posts that the database refuses: one row, and all rows for a while.
    with system.database() as connection:
        connection.execute("ALTER TABLE calls_callevent ADD CONSTRAINT refuses CHECK (block_type <> 'REFUSED')")
        assert send(system, one_post("BLOCK_END REFUSED")) == 200
        connection.execute("ALTER TABLE calls_callevent DROP CONSTRAINT refuses")
        connection.execute("ALTER TABLE calls_callevent RENAME TO calls_elsewhere")
        assert send(system, one_post("CALL_END")) == 200
        connection.execute("ALTER TABLE calls_elsewhere RENAME TO calls_callevent")
    # Staff: an own key, a search, a page that fails, a wrong password.
    browser.post("/admin/calls/destinationnumber/add/", e164="+4930123456", label="Berlin", short_call_s="5",
                 service_level_s="20", silent_after_h="4", call_start="automatic", block_end="automatic",
                 initiate_forward="automatic", forward_answer="automatic", call_end="automatic", _save="Save",
                 **{"access_keys-TOTAL_FORMS": "0", "access_keys-INITIAL_FORMS": "0"})  # fmt: skip
    with system.database() as connection:
        (pk,) = connection.execute("SELECT id FROM calls_destinationnumber WHERE e164 = '+4930123456'").fetchone()
    shown = browser.post(f"/admin/calls/destinationnumber/keys/issue/?number={pk}", access_key=BROUGHT)
    assert BROUGHT in shown
    assert CALLER[-6:] in browser.post("/reports/calls/", q=CALLER).replace(" ", "")
    with system.database() as connection:
        connection.execute("ALTER TABLE reports_daycounts RENAME TO reports_elsewhere")
        with pytest.raises(urllib.error.HTTPError, match="500"):
            browser.get("/reports/")
        connection.execute("ALTER TABLE reports_elsewhere RENAME TO reports_daycounts")
    assert "password is wrong" in Browser(system).post("/accounts/login/", username="admin", password=WRONG)
    # A database that is killed under load and restarted.
    os.kill(system.postmaster(), signal.SIGKILL)
    load = Client(system.port, E164, ACCESS_KEY, rate=1, name="load")
    at_once(load, 200, 8)
    assert {line.answer for line in load.sent} == {"200"}
    assert send(system, one_post("CALL_END")) == 200
    wait_until(system.has_database, 60, "the database")
    wait_until(lambda: system.health()["spooled"] == 0, 60, "an empty spool")
    with system.database() as connection:
        connection.execute("CHECKPOINT")
    system.manage("backup", str(system.home / "calls.dump"))

    data = Server(system.home).base
    log = system.home.with_name(f"{system.home.name}.log")
    everything = dict(files_below(system.home, data)) | {log: log.read_bytes()}
    assert len(everything) > 500
    leaked = {(path.name, key) for path, content in everything.items() for key in KEYS if key.encode() in content}
    assert not leaked
    # Callers are where calls are stored: in the database, in the spool, in a backup.
    kept_in = {data, system.home / "spool", system.home / "calls.dump"}
    logged = {
        str(path)
        for path, content in everything.items()
        if not any(path == place or place in path.parents for place in kept_in)
        for personal in (CALLER, DIGITS)
        if personal.encode() in content
    }
    assert not logged
    assert any(CALLER.encode() in content for path, content in everything.items() if data in path.parents)
    logs = "".join(content.decode("utf-8", "replace") for path, content in everything.items() if path.suffix == ".log")
    assert "calltally.posts: refused" in logs
    assert "calltally.posts: spooled" in logs
    assert "Internal Server Error: /reports/" in logs
