"""Security events on the disk."""
