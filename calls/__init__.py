"""Receives posts from TENIOS, stores them and merges them into calls. Does not import reports."""
