"""Figures: their definitions, since when they are measured, and the cells that show them."""
