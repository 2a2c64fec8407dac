"""Prometheus metrics of a web process about posts. docs/watching.md explains each of them."""

from prometheus_client import Counter, Histogram

POSTS = Counter("calltally_posts", "Posts, by the status they were answered with.", ["answer"])
SPOOLED = Counter("calltally_spooled_posts", "Posts answered 200 that went into the spool.")
SECONDS = Histogram(
    "calltally_post_seconds",
    "How long a post was waited for, on our side.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 2),
)
BATCH = Histogram("calltally_batch_posts", "Posts in one statement.", buckets=(1, 2, 4, 8, 16, 32, 64, 128))

# Looked up once, because finding a counter by its label costs as much as counting.
_BY_ANSWER = {status: POSTS.labels(str(status)) for status in (200, 400, 403, 405, 413, 415, 429, 503)}


def count_post(status: int, took_s: float) -> None:
    """Count a post by the status of its answer, and its duration."""
    (_BY_ANSWER.get(status) or POSTS.labels(str(status))).inc()
    SECONDS.observe(took_s)
