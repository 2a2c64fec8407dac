"""The write side of reports: what calls add up to, counted again where calls changed, and proved."""
