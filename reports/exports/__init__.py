"""Downloads: CSV files and workbooks."""
