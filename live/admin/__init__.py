"""Admin pages of calls in progress: how numbers ring, the systems that are told of calls, and what they were told."""

# Importing a module registers its pages.
from live.admin import deliveries, endpoints, rings  # noqa: F401
