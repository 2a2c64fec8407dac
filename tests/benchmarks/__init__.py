"""Figures of the intake beside others that run its statement: `make bench`. What they mean: docs/performance.md.

Never asserted in the test run; a run of its own says whether what is promised was reached."""
