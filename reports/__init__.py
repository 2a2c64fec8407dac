"""What happened to the calls: outcomes, counts, pages and downloads. Asks calls, is never asked by them."""
