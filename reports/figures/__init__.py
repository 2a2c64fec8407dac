"""What a figure is: its definition, since when it is measured, and the cell that shows it."""
