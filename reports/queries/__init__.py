"""The queries of pages and downloads: of counts, and of calls only where single calls are shown."""
