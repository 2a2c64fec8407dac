"""What happens to a post: authentication, group commit or spool, draining, replay."""
