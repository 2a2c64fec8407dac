"""Outcomes of calls, counts, pages and downloads. Imports calls; calls never imports reports."""
