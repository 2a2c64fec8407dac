"""A complete Calltally behind the real nginx configuration, over HTTPS: `make test-deploy`."""

import os
import shutil
from collections import Counter

import pytest

from tests.deploy.intake import TOKEN, IntakeProcess
from tests.deploy.proxy import NAME, PROXY_SECRET, Certificate, Nginx, find_nginx
from tests.deploy.wire import Wire
from tests.faults.system import System, wait_until
from tests.ports import free_port

PASSWORD = "the password of the wire 0123456789"


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "deploy":
            item.add_marker("deploy")


@pytest.fixture(scope="session", autouse=True)
def _needs_nginx():
    """Skip if this machine has no nginx; fail if it is required."""
    if not (find_nginx() and shutil.which("openssl")):
        if os.environ.get("CALLTALLY_REQUIRE_DEPLOY") == "1":
            pytest.fail("no nginx or openssl here, and CALLTALLY_REQUIRE_DEPLOY=1 demands them", pytrace=False)
        pytest.skip("no nginx or openssl on this machine (Debian: apt-get install nginx openssl)")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("deploy")


@pytest.fixture(scope="session")
def certificate(folder):
    return Certificate(folder)


@pytest.fixture(scope="session")
def intake_port():
    return free_port()


@pytest.fixture(scope="session")
def system(folder, intake_port):
    system = System(
        folder / "var",
        INTAKE_URL=f"http://127.0.0.1:{intake_port}",
        INTAKE_METRICS_DIR=str(folder / "intake-metrics"),
        METRICS_TOKEN=TOKEN,
        ALLOWED_HOSTS=NAME,
        BEHIND_HTTPS="true",
        PUBLIC_URL=f"https://{NAME}",
        TRUSTED_PROXIES="127.0.0.1",
        PROXY_SECRET=PROXY_SECRET,
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )
    try:
        system.start()
        yield system
    finally:
        system.stop()


@pytest.fixture(scope="session")
def intake(system, intake_port):
    intake = IntakeProcess(system, intake_port)
    try:
        intake.start()
        yield intake
    finally:
        intake.stop()


@pytest.fixture(scope="session")
def nginx(folder, certificate, system, intake):
    nginx = Nginx(folder / "nginx", certificate, intake.port, system.port)
    try:
        nginx.start()
        yield nginx
    finally:
        nginx.stop()


@pytest.fixture(scope="session")
def sender(nginx, certificate):
    return Wire(nginx, certificate)


@pytest.fixture
def wire(sender, system):
    """Check after each test that a good post is accepted, and that exactly the posts answered 200 are stored, once."""
    yield sender

    assert sender.post().status == 200
    wait_until(lambda: system.kept(sender.name).keys() >= sender.answered, 20, "all answered posts kept")
    assert system.kept(sender.name) == Counter(sender.answered)
