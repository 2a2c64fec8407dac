"""What TENIOS posts: received, kept, merged into calls. Knows nothing of reports."""
