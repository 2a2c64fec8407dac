"""The broker, Redis as in production, is killed and restarted: posts are not affected, and counting continues."""

import contextlib
import shutil
import subprocess

import pytest

from tests.faults.conftest import demand, full_or, rounds
from tests.faults.system import System, wait_until
from tests.faults.test_counting import all_counted
from tests.ports import free_port

pytestmark = pytest.mark.faults

SERVERS = ("redis-server", "valkey-server")


class Redis:
    """A Redis server without persistence, which is enough for Celery."""

    def __init__(self, program, folder):
        self.port = free_port()
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self._process = None

    def start(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def kill(self):
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def with_redis(prepared, tmp_path_factory):
    program = next(filter(None, map(shutil.which, SERVERS)), None)
    demand(program, "no Redis and no Valkey are here (Debian: apt-get install redis-server)")
    home = tmp_path_factory.mktemp("redis") / "var"
    redis = Redis(program, home.parent)
    redis.start()
    system = System(home, CELERY_BROKER_URL=f"redis://127.0.0.1:{redis.port}/0")
    try:
        system.start(prepared)
        yield system, redis
    finally:
        system.stop()
        redis.kill()


@rounds(5)
def test_redis_is_killed_and_comes_back(with_redis, endure, number):
    system, redis = with_redis

    @contextlib.contextmanager
    def fault(system):
        redis.kill()
        yield
        redis.start()

    endure(system, fault, full_or(15, 3), until=all_counted)
    # Automatically, not by the roll-up that checked this round.
    with system.database() as connection:
        newest = "SELECT counted_at FROM reports_rollup"
        before = connection.execute(newest).fetchone()
        wait_until(lambda: connection.execute(newest).fetchone() > before, 60, "a count by worker and beat")
