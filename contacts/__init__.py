"""Who answers at which destination of forwards: names of people for pages and files. Does not import reports."""
