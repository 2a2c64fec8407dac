"""What an address asks for: a period, numbers, opening hours, and of lists of calls which ones."""
