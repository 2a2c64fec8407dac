"""deploy/ agrees with the code: the same commands as `make run`, existing files, documented settings.

Neither systemd nor a container engine is needed; tests/deploy tests the nginx configuration."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from calls.posts import MOST_BYTES
from config.embedded import APPLICATION, INTAKE, PASSWORDS
from config.services import intake_service, live_service, services
from contacts import uploads
from live.events import HEARTBEAT_S
from live.hub import MOST_STREAMS
from tests.test_docs import OUR_APPS, ROOT, documented, fences

DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"
COMMON = UNITS / "calltally-.service.d/common.conf"
IN_PLACE = "/opt/calltally"
PYTHON = f"{IN_PLACE}/.venv/bin/python"
# Settings that are only for the first start, never for production, or set by the units themselves.
NOT_FOR_OPERATORS = {
    *PASSWORDS.values(),
    # In files that only root can read.
    "DATABASE_OWNER_URL",
    "INTAKE_DATABASE_URL",
    "DEBUG",
    "PROMETHEUS_MULTIPROC_DIR",
    "INTAKE_URL",
    "INTAKE_METRICS_DIR",
    "LIVE_PORT",
}
# Of the roles of the database, for compose.yaml alone.
PASSWORDS_IN_CONTAINERS = {"POSTGRES_PASSWORD", "POSTGRES_APPLICATION_PASSWORD", "POSTGRES_INTAKE_PASSWORD"}


def read_unit(path):
    """Return {section: [(name, value)]} of a systemd file."""
    sections = {}
    for line in path.read_text().replace("\\\n", " ").splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            entries = sections.setdefault(header[1], [])
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            entries.append((name, value))
    return sections


def value_of(sections, section, name):
    (value,) = [value for other, value in sections[section] if other == name]
    return value


def read_env(text):
    """Return the settings in a file of NAME=value lines."""
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"[A-Z_]+=", line))


def read_yaml(text):
    """Parse the part of YAML that compose.yaml uses; PyYAML is not a dependency."""
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in text.splitlines()]
    lines = [(indent, line) for indent, line in lines if line and not line.startswith("#")]
    anchors = {}

    def scalar(text):
        if text.startswith("["):
            return [quoted or bare.strip() for quoted, bare in re.findall(r'"([^"]*)"|([^\s,"\[\]][^,\]]*)', text)]
        return text[1:-1] if text.startswith('"') else text

    def block():
        indent = lines[0][0]
        is_list = lines[0][1].startswith("- ")
        items, pairs = [], {}
        while lines and lines[0][0] == indent:
            _, line = lines.pop(0)
            if is_list:
                line = line.removeprefix("- ")
                if re.match(r"\w+: ", line):
                    lines.insert(0, (indent + 2, line))
                    items.append(block())
                else:
                    items.append(scalar(line))
                continue
            key, _, rest = (part.strip() for part in line.partition(":"))
            if key == "<<":
                pairs |= anchors[rest.removeprefix("*")]
            elif rest.startswith("*"):
                pairs[key] = anchors[rest.removeprefix("*")]
            elif rest and not rest.startswith("&"):
                pairs[key] = scalar(rest)
            else:
                pairs[key] = block() if lines and lines[0][0] > indent else None
                if rest:
                    anchors[rest.removeprefix("&")] = pairs[key]
        return items if is_list else pairs

    return block()


@pytest.fixture
def commands(settings):
    """The commands of `make run` and of the intake, by name, as they would be with Calltally in /opt/calltally."""
    settings.WEB_PROCESSES, settings.WEB_THREADS = "${WEB_PROCESSES}", "${WEB_THREADS}"
    settings.INTAKE_PROCESSES, settings.INTAKE_THREADS = "${INTAKE_PROCESSES}", "${INTAKE_THREADS}"
    places = {sys.executable: PYTHON, str(ROOT / "manage.py"): f"{IN_PLACE}/manage.py"}
    run = services(8000) | {"intake": intake_service(8001), "live": live_service(8002)}
    return {name: [places.get(word, word) for word in words] for name, words in run.items()}


@pytest.fixture
def compose():
    return read_yaml((DEPLOY / "compose.yaml").read_text())


def of_calltally(compose):
    return {name: service for name, service in compose["services"].items() if service["image"] == "calltally"}


# --- systemd ---


def test_systemd_runs_the_same_commands_as_make_run(commands):
    units = {path.stem.removeprefix("calltally-"): read_unit(path) for path in UNITS.glob("*.service")}

    assert {name: shlex.split(value_of(unit, "Service", "ExecStart")) for name, unit in units.items()} == commands


def test_every_command_that_systemd_runs_exists(commands):
    for words in commands.values():
        if words[1] == "-m":
            assert importlib.util.find_spec(words[2]), words[2]
        else:
            assert (ROOT / Path(words[1]).relative_to(IN_PLACE)).exists()
            assert words[2] in get_commands()


def test_one_target_starts_and_stops_all_services():
    target = read_unit(UNITS / "calltally.target")

    assert set(value_of(target, "Unit", "Wants").split()) == {path.name for path in UNITS.glob("*.service")}
    assert value_of(target, "Install", "WantedBy") == "multi-user.target"
    assert value_of(read_unit(COMMON), "Unit", "PartOf") == "calltally.target"


def test_services_run_as_an_unprivileged_user_and_write_to_one_folder():
    service = dict(read_unit(COMMON)["Service"])

    assert (service["User"], service["NoNewPrivileges"], service["CapabilityBoundingSet"]) == ("calltally", "yes", "")
    assert service["ProtectSystem"] == "strict"
    assert f"CALLTALLY_HOME=/var/lib/{service['StateDirectory']}" in service["Environment"].split()
    assert not {"ReadWritePaths", "ReadWriteDirectories"} & service.keys()


def test_services_cannot_read_the_history_of_the_source():
    assert dict(read_unit(COMMON)["Service"])["InaccessiblePaths"] == f"-{IN_PLACE}/.git"
    assert "chmod 700 .git\n" in (ROOT / "docs/deploying.md").read_text()


def test_a_service_that_ends_is_always_restarted_and_stopped_by_one_term():
    common = read_unit(COMMON)

    assert value_of(common, "Service", "Restart") == "always"
    assert value_of(common, "Unit", "StartLimitIntervalSec") == "0"
    assert value_of(common, "Service", "KillMode") == "mixed"
    assert not [name for path in UNITS.glob("*.service") for name, _ in read_unit(path)["Unit"] if name == "Requires"]


@pytest.mark.parametrize("name", ["web", "intake"])
def test_servers_reload_by_hup_and_have_a_metrics_folder_that_is_empty_at_every_start(name):
    unit = read_unit(UNITS / f"calltally-{name}.service")

    assert value_of(unit, "Service", "RuntimeDirectory") == f"calltally-{name}"
    assert ("Environment", f"PROMETHEUS_MULTIPROC_DIR=/run/calltally-{name}") in unit["Service"]
    assert value_of(unit, "Service", "ExecReload") == "/bin/kill -HUP $MAINPID"


def test_nginx_and_systemd_let_as_many_streams_in_as_the_process_takes(commands):
    unit, nginx = read_unit(UNITS / "calltally-live.service"), (DEPLOY / "nginx/calltally.conf").read_text()
    (most,) = [int(word.removeprefix("--backpressure=")) for word in commands["live"] if "backpressure" in word]
    streams = nginx.partition("location = /live/events {")[2].partition("}\n\n")[0]

    assert int(value_of(unit, "Service", "LimitNOFILE")) > most == MOST_STREAMS
    assert "proxy_buffering off;" in streams
    assert "limit_conn calltally_streams 2000;" in streams
    assert int(re.search(r"proxy_read_timeout (\d+)s;", streams)[1]) > 2 * HEARTBEAT_S
    assert "server 127.0.0.1:8002;" in nginx


def test_web_processes_and_command_know_the_address_of_the_intake(commands):
    web, common = (dict(read_unit(path)["Service"]) for path in (UNITS / "calltally-web.service", COMMON))
    (port,) = [word.removeprefix("--port=") for word in commands["intake"] if word.startswith("--port=")]

    assert web["Environment"] == "INTAKE_METRICS_DIR=/run/calltally-intake"
    assert f"INTAKE_URL=http://127.0.0.1:{port}" in common["Environment"].split()
    assert f"INTAKE_URL=http://127.0.0.1:{port}\n" in (DEPLOY / "calltally").read_text()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze on this machine")
def test_systemd_accepts_the_units_and_rates_them_as_safe(tmp_path):
    shutil.copytree(UNITS, tmp_path, dirs_exist_ok=True)
    units = sorted([*tmp_path.glob("*.service"), *tmp_path.glob("*.target")])
    for path in units:  # it checks whether the programs exist
        path.write_text(path.read_text().replace(PYTHON, sys.executable).replace(IN_PLACE, str(ROOT)))

    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    for path in tmp_path.glob("*.service"):
        scored = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--threshold=20", path],
            capture_output=True,
            text=True,
            check=False,
        )
        assert scored.returncode == 0, scored.stdout + scored.stderr


# --- Settings ---


def test_every_setting_of_production_is_in_the_example_with_its_default():
    text = (DEPLOY / "env.example").read_text()
    given, left_out = read_env(text), read_env(re.sub(r"^#(?=[A-Z_]+=)", "", text, flags=re.MULTILINE))
    documented_defaults = documented()
    of_settings = (ROOT / "docs/settings.md").read_text().partition("## Settings of commands and tests")[0]
    ours = {name for name in documented_defaults if f"| `{name}` |" in of_settings} - NOT_FOR_OPERATORS

    assert left_out.keys() == ours | PASSWORDS_IN_CONTAINERS, "deploy/env.example and docs/settings.md differ"
    for name in ours - given.keys():
        assert documented_defaults[name] in {f"`{left_out[name]}`", "empty" if not left_out[name] else ""}, name


def test_systemd_and_a_shell_read_the_example_in_the_same_way():
    path = DEPLOY / "env.example"
    output = subprocess.run(
        ["sh", "-c", f"set -a; . {shlex.quote(str(path))}; exec env"],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    given = read_env(path.read_text())

    assert given.items() <= read_env(output.stdout).items()
    assert not re.search(r"[\"'\\$`;&|<> ]", "".join(given.values()))


def test_calltally_starts_with_the_example(tmp_path):
    environment = read_env((DEPLOY / "env.example").read_text()) | dict.fromkeys(
        ["SECRET_KEY", "ACCESS_KEY_PEPPER", "ENCRYPTION_KEY"], "0123456789abcdef" * 4
    )
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={"CALLTALLY_HOME": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_command_uses_the_same_folders_as_the_services():
    script = (DEPLOY / "calltally").read_text()
    service = dict(read_unit(COMMON)["Service"])

    assert subprocess.run(["sh", "-n", DEPLOY / "calltally"], check=False).returncode == 0
    assert os.access(DEPLOY / "calltally", os.X_OK)
    assert f"cd {service['WorkingDirectory']}\n" in script
    assert f". {service['EnvironmentFile']}\n" in script
    assert f"CALLTALLY_HOME=/var/lib/{service['StateDirectory']}\n" in script
    assert f"-u {service['User']} " in script


# --- Containers ---


def test_the_image_contains_every_file_that_calltally_needs():
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = {name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]}

    assert copied == {"requirements.txt", "manage.py", "pyproject.toml", "templates", *OUR_APPS}
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_is_pinned_locked_and_run_by_an_unprivileged_user():
    text = (DEPLOY / "Dockerfile").read_text()

    assert re.findall(r"^FROM (\S+)", text, re.MULTILINE) == ["python:3.11-slim-bookworm"]
    assert "--require-hashes -r requirements.txt" in text
    assert re.findall(r"^USER (\S+)", text, re.MULTILINE) == ["calltally"]
    assert f"WORKDIR {IN_PLACE}\n" in text


def test_containers_run_the_same_commands_as_make_run(compose, commands):
    run = {name: service["command"] for name, service in of_calltally(compose).items() if name != "migrate"}
    defaults = {}
    for name in ("web", "intake", "live"):
        commands[name] = [word.replace("--host=127.0.0.1", "--host=0.0.0.0") for word in commands[name]]
        defaults |= dict(re.findall(r"\$\{(\w+):-(\d+)\}", " ".join(run[name])))
        run[name] = [re.sub(r"\$\{(\w+):-\d+\}", r"${\1}", word) for word in run[name]]

    assert run == commands
    assert {name: f"`{number}`" for name, number in defaults.items()} == {
        name: documented()[name] for name in ("WEB_PROCESSES", "WEB_THREADS", "INTAKE_PROCESSES", "INTAKE_THREADS")
    }


def test_web_and_intake_have_a_metrics_volume_each_and_pages_read_both(compose):
    for name in ("web", "intake"):
        folder = f"/run/calltally-{name}"
        assert compose["services"][name]["environment"]["PROMETHEUS_MULTIPROC_DIR"] == folder
        assert f"{name}_metrics:{folder}" in compose["services"]["web"]["volumes"]
        assert compose["volumes"][f"{name}_metrics"]["driver_opts"]["type"] == "tmpfs"
    web = compose["services"]["web"]["environment"]
    assert web["INTAKE_METRICS_DIR"] == "/run/calltally-intake"
    assert web["INTAKE_URL"] == "http://intake:8001"


def test_tables_and_static_files_are_updated_before_containers_start(compose):
    for name, service in of_calltally(compose).items():
        if name != "migrate":
            assert service["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert re.findall(r"manage\.py (\w+)", compose["services"]["migrate"]["command"][-1]) == [
        "migrate",
        "collectstatic",
    ]


def test_containers_contain_no_secret_and_store_data_in_volumes(compose):
    for service in of_calltally(compose).values():
        assert service["env_file"] == "/etc/calltally/env"
        assert service["environment"].keys() <= documented().keys() | PASSWORDS_IN_CONTAINERS
        assert "home:/var/lib/calltally" in service["volumes"]
        assert (service["read_only"], service["cap_drop"]) == ("true", ["ALL"])
    assert not re.findall(r"(?:PASSWORD|SECRET|PEPPER)\w*: (?!\"\$\{|\"\"\n)", (DEPLOY / "compose.yaml").read_text())
    assert compose["volumes"].keys() == {"home", "postgres", "web_metrics", "intake_metrics"}


def test_each_container_has_only_the_address_of_its_own_role(compose):
    # All read the whole file, so its passwords are emptied.
    roles = {}
    for name, service in of_calltally(compose).items():
        known = {key: value for key, value in service["environment"].items() if "postgres://" in value}
        assert {service["environment"][password] for password in PASSWORDS_IN_CONTAINERS} == {""}
        roles[name] = {key: re.match(r"postgres://(\w+):\$\{(\w+):", value).groups() for key, value in known.items()}

    application = {"DATABASE_URL": (APPLICATION, "POSTGRES_APPLICATION_PASSWORD")}
    intake = (INTAKE, "POSTGRES_INTAKE_PASSWORD")
    owner = (compose["services"]["postgres"]["environment"]["POSTGRES_USER"], "POSTGRES_PASSWORD")
    assert roles.pop("migrate") == application | {"DATABASE_OWNER_URL": owner, "INTAKE_DATABASE_URL": intake}
    assert [roles.pop(name) for name in ("intake", "drainer")] == [{"DATABASE_URL": intake}] * 2
    assert roles == dict.fromkeys(["web", "live", "dispatcher", "worker", "files", "beat"], application)


def test_postgresql_in_a_container_logs_no_failing_statement(compose):
    assert compose["services"]["postgres"]["command"] == ["postgres", "-c", "log_min_error_statement=panic"]


def test_only_the_host_can_reach_the_containers_and_is_a_trusted_proxy(compose):
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    network = compose["networks"]["default"]["ipam"]["config"][0]

    assert published == {
        "web": ["127.0.0.1:8000:8000"],
        "intake": ["127.0.0.1:8001:8001"],
        "live": ["127.0.0.1:8002:8002"],
    }
    assert of_calltally(compose)["web"]["environment"]["TRUSTED_PROXIES"] == network["gateway"]


def test_a_container_is_healthy_once_it_can_store_posts_or_read_rings(compose):
    for name, port in (("web", 8000), ("intake", 8001), ("live", 8002)):
        assert f"http://127.0.0.1:{port}/healthz" in compose["services"][name]["healthcheck"]["test"][-1]


def test_other_images_are_pinned_to_a_supported_version(compose):
    images = [service["image"] for service in compose["services"].values() if service["image"] != "calltally"]
    versions = dict(image.rsplit(":", 1) for image in images)

    assert versions.keys() == {"postgres", "valkey/valkey"}
    assert int(versions["postgres"]) in range(15, 19)


# --- nginx ---


def test_nginx_passes_requests_to_the_ports_and_within_the_limits_of_calltally(commands):
    conf = (DEPLOY / "nginx/calltally.conf").read_text()

    upstreams = dict(re.findall(r"^upstream (\w+) \{\n(.*?)^\}", conf, re.MULTILINE | re.DOTALL))
    servers = {name: re.findall(r"server ([\d.:]+)(.*);", text) for name, text in upstreams.items()}

    assert servers["calltally"] == [("127.0.0.1:8000", "")]
    assert [address for address, _ in servers["calltally_intake"]] == ["127.0.0.1:8001", "127.0.0.1:8000"]
    assert servers["calltally_intake"][1][1].endswith(" backup")
    assert {"--host=127.0.0.1", "--port=8000"} <= set(commands["web"])
    assert {"--host=127.0.0.1", "--port=8001"} <= set(commands["intake"])
    # A form with a file is a little larger than the file.
    assert re.findall(r"client_max_body_size +(\w+);", conf) == [
        f"{MOST_BYTES // 1024}k",
        f"{uploads.MOST_BYTES // 1024**2 + 1}m",
    ]


def test_the_address_of_tenios_is_the_documented_one():
    (address,) = re.findall(r'^ +([\d.]+) "";', (DEPLOY / "nginx/calltally.conf").read_text(), re.MULTILINE)

    assert f"The posts come from one address, {address}" in (ROOT / "docs/posts.md").read_text()


# --- The page ---


def test_the_page_names_files_and_commands_that_exist():
    lines = [line for fence in fences(ROOT / "docs/deploying.md") for line in fence.splitlines()]
    files = {path for line in lines for path in re.findall(r"(?:(?<=\s)|(?<=opt/calltally/))deploy/[\w./-]+", line)}
    commands = {line.split()[1] for line in lines if line.startswith("calltally ")}

    assert {"deploy/env.example", "deploy/systemd/.", "deploy/nginx/calltally.conf", "deploy/compose.yaml"} <= files
    assert all((ROOT / path).exists() for path in files)
    assert {"migrate", "add_number"} <= commands
    assert commands <= set(get_commands())


def test_the_page_sets_what_the_example_leaves_empty():
    page, example = (ROOT / "docs/deploying.md").read_text(), (DEPLOY / "env.example").read_text()

    for name, value in read_env(example).items():
        if not value:
            assert f"s/^{name}=$/{name}=$(openssl rand -hex 32)/" in page
    assert "calls.example.com" in example
