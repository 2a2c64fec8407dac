"""Who is calling, while it rings. Reads what the intake has stored; the intake knows nothing of it."""
