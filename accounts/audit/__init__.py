"""The audit: who did what and when, in entries that are only added, each with a checksum that covers the one before."""
