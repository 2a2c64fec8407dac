"""nginx with deploy/nginx/calltally.conf, in which only ports, paths and names are replaced; and a certificate."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

from tests.faults.system import ROOT, wait_until
from tests.ports import free_port

CONF = ROOT / "deploy/nginx/calltally.conf"
PAGE = ROOT / "docs/deploying.md"
NAME = "calls.example.com"
# Replaces the address that TENIOS posts from; every address in 127.0.0.0/8 is this machine.
TENIOS = "127.0.0.80"
PROXY_SECRET = "the-secret-of-the-proxy-0123456789"
MAIN = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
worker_processes 2;
events {{ worker_connections 768; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;  # as in Debian's nginx.conf
    include {folder}/calltally.conf;
}}
"""


def find_nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def secret_file(folder: Path, secret: str) -> str:
    """Return the file that the command in docs/deploying.md makes from settings with a PROXY_SECRET."""
    (command,) = [line for line in PAGE.read_text().splitlines() if line.startswith("sed -n 's/^PROXY_SECRET")]
    (folder / "env").write_text(f"SECRET_KEY=another\nPROXY_SECRET={secret}\nMETRICS_TOKEN=third\n")
    command, _, file = command.replace("/etc/calltally/env", shlex.quote(str(folder / "env"))).partition(" > ")
    assert file == "/etc/nginx/calltally-secret"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout


class Certificate:
    """A root certificate, an intermediate one, and a certificate for NAME. Clients trust only the root."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root.pem"
        self.key = folder / "site.key"
        self.full_chain = folder / "fullchain.pem"
        between, site = folder / "between.pem", folder / "site.pem"
        authority = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        self._make(self.root, "/CN=Root of the tests", *authority)
        self._make(between, "/CN=Between", *authority, signer=self.root)
        self._make(site, f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", signer=between)
        self.full_chain.write_text(site.read_text() + between.read_text())

    def _make(self, to: Path, subject: str, *more: str, signer: Path | None = None) -> None:
        signed_by = ("-CA", str(signer), "-CAkey", str(signer.with_suffix(".key"))) if signer else ()
        made = subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
                *("-days", "2", "-subj", subject, "-keyout", str(to.with_suffix(".key")), "-out", str(to)),
                *signed_by,
                *more,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr


class Nginx:
    """An nginx in its own folder, in front of ports of this machine: of the intake, the pages and the streams, which
    `make run` has beside the pages."""

    def __init__(self, folder: Path, certificate: Certificate, intake_port: int, web_port: int) -> None:
        self.folder = folder
        self.https_port, self.http_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
        (folder / "calltally-secret").write_text(secret_file(folder, PROXY_SECRET))
        (folder / "calltally.conf").write_text(self._fitted(certificate, intake_port, web_port))

    def _fitted(self, certificate: Certificate, intake_port: int, web_port: int) -> str:
        """Return the real file with other ports and paths; fail if one of them is not in the file any more."""
        text = CONF.read_text()
        for old, new, times in [
            (r"^ *listen \[::\]:.*\n", "", 2),
            (r"listen 443 ", f"listen 127.0.0.1:{self.https_port} ", 1),
            (r"listen 80 ", f"listen 127.0.0.1:{self.http_port} ", 1),
            (r"server 127\.0\.0\.1:8001 ", f"server 127.0.0.1:{intake_port} ", 1),
            (r"server 127\.0\.0\.1:8000(?=[ ;])", f"server 127.0.0.1:{web_port}", 2),
            (r"server 127\.0\.0\.1:8002;", f"server 127.0.0.1:{web_port + 1};", 1),
            (r"80\.239\.139\.193", TENIOS, 1),
            (r"/etc/letsencrypt/live/calls\.example\.com/fullchain\.pem", str(certificate.full_chain), 1),
            (r"/etc/letsencrypt/live/calls\.example\.com/privkey\.pem", str(certificate.key), 1),
            (r"/var/log/nginx/", f"{self.folder}/", 5),
            (r"/etc/nginx/calltally-secret;", f"{self.folder}/calltally-secret;", 1),
            (r"/var/www/html", f"{self.folder}/html", 1),
        ]:
            text, count = re.subn(old, new, text, flags=re.MULTILINE)
            assert count == times, f"{old} occurs {count} times in {CONF.name}, not {times}"
        return text

    def start(self) -> None:
        nginx = find_nginx()
        assert nginx
        log = self.folder / "said.log"
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [nginx, "-p", self.folder, "-c", self.folder / "nginx.conf", "-e", self.folder / "error.log"],
                stdout=output,
                stderr=output,
            )
        is_up = (self.folder / "nginx.pid").exists
        wait_until(lambda: is_up() or self.process.poll() is not None, what="nginx")
        assert self.process.poll() is None, log.read_text()
        assert not log.read_text(), log.read_text()  # no warnings

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
