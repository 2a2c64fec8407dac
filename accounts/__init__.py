"""Sign-in, users, and the addresses that requests come from. Imports neither calls nor reports."""
