"""Benchmarks: `make bench`, `make bench-pages`, `make bench-exports`, `make bench-contacts`, `make bench-live`,
`make bench-rest`.

docs/performance.md explains the figures. They are not part of the tests; each says whether its targets were reached."""
