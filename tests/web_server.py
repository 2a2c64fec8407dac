"""A real web server of somebody else, for tests of what Calltally sends to other systems."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class WebServer:
    """What the server answers, and what it was asked: `answer` may be replaced at any time."""

    port: int
    scheme: str = "http"
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    # Called before each answer; a test can hold it up with this, or answer by itself and return True.
    before: Callable[[BaseHTTPRequestHandler], Any] | None = None
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    # What was posted, one for each POST.
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def answers(self, found: Any, status: int = 200) -> None:
        """Answer with JSON from now on."""
        self.status, self.body = status, json.dumps(found).encode()


@contextmanager
def web_server(certificate: Path | None = None) -> Iterator[WebServer]:
    """Run a server on a port of this machine, with TLS if there is a certificate with its key."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Headers by their names in lower case.
            said.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            if said.before and said.before(self):
                return
            try:
                self.send_response(said.status)
                for name, value in {"Content-Length": str(len(said.body)), **said.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said.body)
            except OSError:  # nobody waits for the answer any more
                self.close_connection = True

        def do_POST(self) -> None:
            said.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.do_GET()

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # connections that are refused or left

    server = Server(("127.0.0.1", 0), Handler)
    said = WebServer(server.server_address[1])
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        said.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield said
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(path: Path, host: str) -> Path:
    """Write a certificate for a host, which is its own authority, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    signed = builder.sign(key, hashes.SHA256())
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path
