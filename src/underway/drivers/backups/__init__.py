"""Backups on disk and off the machine: drivers of `ports/backups.py`, and what writes and reads their files."""
