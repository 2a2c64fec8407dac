"""Made-up traffic as TENIOS would send it: numbers and their traffic, the course of calls, and sending them.

Everything is drawn from seeds: the same seed gives the same calls. docs/look-alike.md is the manual."""
