"""The intake process, started by the exact command of its systemd unit, and the metrics about it."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from config.embedded import command_line
from tests.faults.system import ROOT, System, children_of, wait_until

UNIT = ROOT / "deploy/systemd/calltally-intake.service"
TOKEN = "the-token-of-the-deploy-tests-0123456789"


class IntakeProcess:
    """`calltally-intake` beside a running Calltally; it can be started several times."""

    def __init__(self, system: System, port: int) -> None:
        self.system = system
        self.port = port
        self.counters = Path(system.environment["INTAKE_METRICS_DIR"])
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        text = UNIT.read_text().replace("\\\n", " ")
        (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        for there, here in [
            ("/opt/calltally/.venv/bin/python", sys.executable),
            ("--port=8001", f"--port={self.port}"),
            ("${INTAKE_PROCESSES}", "2"),
            ("${INTAKE_THREADS}", "32"),
        ]:
            assert there in line, f"{there} is not in {UNIT.name}"
            line = line.replace(there, here)
        return shlex.split(line)

    def start(self) -> None:
        """Start it with an empty folder for its counters, as systemd does, and wait until it can store posts."""
        self.counters.mkdir(mode=0o700)
        log = self.system.home.with_name("intake.log")
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=self.system.environment | {"PROMETHEUS_MULTIPROC_DIR": str(self.counters)},
                stdout=output,
                stderr=output,
            )
        wait_until(lambda: self.status("/healthz") == 200 or self.process.poll() is not None, what="the intake")
        assert self.process.poll() is None, log.read_text()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        shutil.rmtree(self.counters, ignore_errors=True)

    def workers(self) -> list[int]:
        return [pid for pid in children_of(self.process.pid) if "resource_tracker" not in command_line(pid)]

    def status(self, path: str) -> int:
        """Return the status of its answer to a GET; 0 if it does not answer."""
        with contextlib.suppress(OSError):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code
        return 0


def scrape(system: System) -> dict[tuple[str, ...], float]:
    """Return the metrics of the web processes: {(name, values of the labels): value}."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{system.port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}
