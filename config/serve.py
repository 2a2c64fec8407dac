"""Serves Calltally with granian: all processes share a socket, and a HUP replaces them without losing a post.

`python -m config.serve` takes the options of `python -m granian`. By default, granian gives each process its own socket
on Linux. When that process ends, it cuts off clients that wait in the socket, clients that have connected but not sent
yet, and clients that send at that moment on a connection that was kept open. Here all processes accept from one socket,
which outlives each of them. After a HUP, once the next process has loaded, the old one accepts nothing more and closes
each connection with its answer. It ends `--respawn-interval` seconds later, when no request is on its way to it.

This relies on the following internals of granian 2.8, which tests/test_serve.py checks. The command line creates
`granian.cli.Server`. A server without `_ssp` passes `_shd` and `_sso` to its processes, which accept from exactly that
file descriptor and end by a handler of TERM. It creates each process with `_spawn_worker`, keeps them in `wrks`, and
replaces only them with `_respawn_workers`. `blocking_threads` is the number of threads of each process.

A client that stops reading holds its thread inside granian, where Python cannot reach it. `TCP_USER_TIMEOUT` on the
shared socket, which accepted sockets inherit, has the kernel close a connection whose client has read nothing for
`WEB_STALLED_READER_S` seconds (Linux only). It also closes connections that read only a few kB per second, because a
client with a full buffer reads nothing for seconds at a time."""

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from multiprocessing.synchronize import Event
from typing import Any

from granian import cli
from granian.log import logger
from granian.net import SocketSpec
from granian.server import MPServer
from granian.server.mp import WorkerProcess

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

LOOK_EVERY_S = 0.1
STALLED_READER_S = 30
HEEDED = {signal.SIGUSR1, signal.SIGTERM}  # signals that a loaded process handles


class SharedSocketServer(MPServer):
    """granian's server with a socket shared by all processes, which stop accepting from it before they end."""

    def _init_shared_socket(self) -> None:
        """Bind the socket. The first process that is ready listens on it, so that no client has to wait for that."""
        self._shd = SocketSpec(self.bind_addr, self.bind_port, self.backlog).build()
        self._sso = socket.socket(fileno=self._shd.get_fd())
        self._sso.set_inheritable(True)
        end_stalled_readers(self._sso)

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Callable[[], Application]) -> WorkerProcess:
        os.environ["WEB_THREADS"] = str(self.blocking_threads)  # config.shares divides them
        loaded = multiprocessing.Event()
        loader = partial(load, callback_loader, self._sso.fileno(), loaded)
        worker = super()._spawn_worker(idx=idx, target=target, callback_loader=loader)
        worker.loaded = loaded
        return worker

    def _respawn_workers(
        self, workers: Sequence[int], spawn_target: Any, target_loader: Callable[[], Application], delay: float = 0
    ) -> None:
        """Replace processes one after the other; each serves until its successor has loaded, and `delay` s longer."""
        for idx in workers:
            if self.interrupt_signal:  # all processes are being stopped
                return
            self.respawned_wrks[idx] = time.monotonic()
            old = self.wrks[idx]
            new = self._spawn_worker(idx, spawn_target, target_loader)
            new.start()
            self.wrks[idx] = new
            if old.is_alive():
                self._wait_until_loaded(old)
                self._wait_until_loaded(new)
                leave(old)
                time.sleep(delay)
            old.terminate()
            old.join(self.workers_kill_timeout)
            if old.is_alive():
                logger.warning(f"Killing old worker-{idx + 1}: it did not stop by itself")
                old.kill()
                old.join()
        self._metrics.incr_spawn(len(workers))

    def _wait_until_loaded(self, worker: WorkerProcess) -> None:
        """Wait until a process has loaded, without a limit because the old ones serve. Stop waiting if it died, or if
        all processes are being stopped."""
        while worker.is_alive() and not self.interrupt_signal and not worker.loaded.wait(LOOK_EVERY_S):
            pass


def end_stalled_readers(listening: socket.socket) -> None:
    """Have the kernel close connections whose client has stopped reading."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        within_s = float(os.environ.get("WEB_STALLED_READER_S") or STALLED_READER_S)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(within_s * 1000))


def leave(worker: WorkerProcess) -> None:
    """Make a process stop accepting connections, and close each connection with its answer."""
    if worker.is_alive():
        os.kill(worker._id(), signal.SIGUSR1)


def load(loader: Callable[[], Application], listening: int, loaded: Event) -> Application:
    """Return the application of a process. After USR1 it closes connections, and other processes accept new ones."""
    application = loader()
    is_leaving = threading.Event()

    def leave_socket() -> None:
        # Replace the descriptor that granian accepts from by a socket that is never connected to. The shared socket
        # stays open in the other processes.
        with socket.create_server(("127.0.0.1", 0)) as nobodys:
            nobodys.setblocking(False)
            os.dup2(nobodys.fileno(), listening, inheritable=False)
        is_leaving.set()  # only now: clients whose connection is closed reach another process

    def heed_signals() -> None:
        while signal.sigwait(HEEDED) == signal.SIGUSR1:
            leave_socket()
        end: Any = signal.getsignal(signal.SIGTERM)  # granian's
        end(signal.SIGTERM, None)

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if is_leaving.is_set():
                headers = [*headers, ("Connection", "close")]
            return start_response(status, headers, exc_info)

        return application(environ, start)

    # A separate thread waits for the signals; all others inherit that they are blocked. Python handlers would not be
    # enough: a signal may reach any thread, for example one that is starting another, and Python runs handlers in the
    # main thread, which sleeps.
    signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    threading.Thread(target=heed_signals, name="signals", daemon=True).start()
    loaded.set()
    return serve


def main() -> None:
    # USR1 must not end a process that has not loaded yet.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    cli.Server = SharedSocketServer
    cli.entrypoint()


if __name__ == "__main__":
    main()
