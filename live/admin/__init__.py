"""Admin pages of calls in progress: how numbers ring, keys of the live board, endpoints and deliveries."""

# Importing a module registers its pages.
from live.admin import board_keys, deliveries, endpoints, rings  # noqa: F401
