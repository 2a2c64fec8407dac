"""Formats of dates and times, for Django's FORMAT_MODULE_PATH."""
