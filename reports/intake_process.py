"""The intake process as web processes see it: whether it is up, and the post counters of both."""

from __future__ import annotations

import contextlib
import os
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# Longer than its /healthz waits for the database.
WAIT_S = 2.0
WEB, INTAKE = "web", "intake"


def is_up() -> bool | None:
    """Return whether the intake process can keep posts; None if there is no such process."""
    if not settings.INTAKE_URL:
        return None
    # Ignores proxies set in the environment.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{settings.INTAKE_URL}/healthz", timeout=WAIT_S) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError):  # refused, timed out, 503, or no HTTP
        return False


class PostCounters(Collector):
    """The counters of web and intake processes, with the label `process`.

    Each side has its own folder, so that a restart of one neither deletes the other's files nor makes a sum of both
    decrease. Prometheus would take a decrease for a restart and count everything again."""

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for process, metrics in self._by_process():
            for metric in metrics:
                family = families.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    family.samples.append(sample._replace(labels={**sample.labels, "process": process}))
        yield from families.values()

    def _by_process(self) -> Iterator[tuple[str, Iterable[Metric]]]:
        own = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        yield WEB, _of_folder(own) if own else REGISTRY.collect()
        if settings.INTAKE_METRICS_DIR and Path(settings.INTAKE_METRICS_DIR).is_dir():
            with contextlib.suppress(FileNotFoundError):  # the process is stopping and removes its folder
                yield INTAKE, _of_folder(settings.INTAKE_METRICS_DIR)


def posts_counted() -> dict[str, int]:
    """Return how many posts each side has answered since its start."""
    counted: dict[str, int] = {}
    for family in PostCounters().collect():
        for sample in family.samples:
            if sample.name == "calltally_posts_total":
                process = sample.labels["process"]
                counted[process] = counted.get(process, 0) + int(sample.value)
    return counted


def _of_folder(folder: str) -> Iterable[Metric]:
    collected: Iterable[Metric] = MultiProcessCollector(None, folder).collect()  # type: ignore[no-untyped-call]
    return collected
