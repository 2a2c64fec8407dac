"""Who may sign in, and from where requests come. Counts nothing and receives nothing; calls and reports stand on it."""
