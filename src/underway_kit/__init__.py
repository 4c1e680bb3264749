"""What a user's app may import. It imports nothing of underway."""
