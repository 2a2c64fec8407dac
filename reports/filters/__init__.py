"""What a query string asks for: period, numbers, opening hours, and filters of calls."""
