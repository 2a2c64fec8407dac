"""Benchmarks: `make bench`, `make bench-pages`, `make bench-exports`, `make bench-contacts`.

docs/performance.md explains the figures. They are not part of the test run; each says whether its targets were reached."""
