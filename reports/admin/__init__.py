"""Admin pages of calls and counts, and of agents at destinations. Those of numbers, keys, access: calls.admin."""

# Importing a module registers its pages.
from reports.admin import agents, calls_and_counts  # noqa: F401
