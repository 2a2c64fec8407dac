"""Made-up traffic, as TENIOS would send it: who is called and when, what happens in a call, how it gets here.

Everything is drawn from seeds: the same seed gives the same calls. docs/look-alike.md is the manual."""
