"""Serves Calltally: granian, with one socket for all of its processes, and a HUP that hands over without losing a post.

`python -m config.serve` takes the options of `python -m granian`. Alone, granian gives each process a socket of its
own on Linux: who waits in it is cut off when the process ends, and so is who has connected and not sent yet, or sends
just then on a connection that was kept. Here all processes accept from one socket, which outlives each of them. On a
HUP, once the next process has loaded, the old one accepts nothing more and closes each connection with its answer; it
ends `--respawn-interval` seconds later, when nobody is under way to it.

What this relies on inside granian 2.8, held by tests/test_serve.py: its command line makes `granian.cli.Server`; a
server without `_ssp` hands `_shd` and `_sso` to its processes, which accept from that very file descriptor and end by a
handler of TERM; it makes each process with `_spawn_worker`, has them in `wrks`, and replaces them, and them alone, with
`_respawn_workers`; `blocking_threads` is how many threads each has.

A client that stops reading holds its thread inside granian, where Python cannot reach it. `TCP_USER_TIMEOUT` on the
shared socket, which accepted ones inherit, has the kernel end a connection whose client has taken nothing for
`WEB_STALLED_READER_S` seconds (Linux only). That also ends a trickle of a few kB a second: a client with a full buffer
takes nothing for seconds at a time."""

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
HEEDED = {signal.SIGUSR1, signal.SIGTERM}  # by a process that has loaded


class SharedSocketServer(MPServer):
    """granian's server, whose processes share a socket and leave it before they end."""

    def _init_shared_socket(self) -> None:
        """Bind the socket; the first process that is ready listens on it, so nobody is let in to wait for that."""
        self._shd = SocketSpec(self.bind_addr, self.bind_port, self.backlog).build()
        self._sso = socket.socket(fileno=self._shd.get_fd())
        self._sso.set_inheritable(True)
        end_stalled_readers(self._sso)

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Callable[[], Application]) -> WorkerProcess:
        os.environ["WEB_THREADS"] = str(self.blocking_threads)  # what config.shares divides
        loaded = multiprocessing.Event()
        loader = partial(load, callback_loader, self._sso.fileno(), loaded)
        worker = super()._spawn_worker(idx=idx, target=target, callback_loader=loader)
        worker.loaded = loaded
        return worker

    def _respawn_workers(
        self, workers: Sequence[int], spawn_target: Any, target_loader: Callable[[], Application], delay: float = 0
    ) -> None:
        """Replace one process after the other; each that lives serves until the next has loaded, and `delay` longer."""
        for idx in workers:
            if self.interrupt_signal:  # all of them are stopped next
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
                logger.warning(f"Killing old worker-{idx + 1}: it did not end by itself")
                old.kill()
                old.join()
        self._metrics.incr_spawn(len(workers))

    def _wait_until_loaded(self, worker: WorkerProcess) -> None:
        """Wait as long as it takes, for the old ones serve; but not for one that died, nor while we are to stop."""
        while worker.is_alive() and not self.interrupt_signal and not worker.loaded.wait(LOOK_EVERY_S):
            pass


def end_stalled_readers(listening: socket.socket) -> None:
    """Have the kernel end connections on which nothing that was sent is taken any more."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        within_s = float(os.environ.get("WEB_STALLED_READER_S") or STALLED_READER_S)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(within_s * 1000))


def leave(worker: WorkerProcess) -> None:
    """Have a process accept nothing more and close each connection with its answer."""
    if worker.is_alive():
        os.kill(worker._id(), signal.SIGUSR1)


def load(loader: Callable[[], Application], listening: int, loaded: Event) -> Application:
    """Return what a process serves; from a USR1 on it says that connections end, and those to come go elsewhere."""
    application = loader()
    is_leaving = threading.Event()

    def leave_socket() -> None:
        # What granian accepts from becomes a socket that nobody connects to; the shared one stays open in the others.
        with socket.create_server(("127.0.0.1", 0)) as nobodys:
            nobodys.setblocking(False)
            os.dup2(nobodys.fileno(), listening, inheritable=False)
        is_leaving.set()  # only now: whoever is told to come again is let in by another

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

    # A thread of its own waits for them, and all others have them blocked, for they inherit that. Handlers alone would
    # not do: a signal may reach any thread (one that just starts another, say), and Python runs them in the main one,
    # which sleeps.
    signal.pthread_sigmask(signal.SIG_BLOCK, HEEDED)
    signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    threading.Thread(target=heed_signals, name="signals", daemon=True).start()
    loaded.set()
    return serve


def main() -> None:
    # A process that has not loaded yet is not ended by being told to leave.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    cli.Server = SharedSocketServer
    cli.entrypoint()


if __name__ == "__main__":
    main()
