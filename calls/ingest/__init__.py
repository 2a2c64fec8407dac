"""The road of a post: judged, committed in groups or kept in the spool, drained, replayed."""
