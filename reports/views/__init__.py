"""Dashboards and downloads. Each view reads the request, asks, answers; what is personal is never stored on the way."""
