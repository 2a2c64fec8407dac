"""The questions that pages and downloads ask: of counts, and of calls only where single calls are shown."""
