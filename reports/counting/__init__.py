"""The write side of reports: counts calls, recounts where calls changed, and verifies the counts."""
