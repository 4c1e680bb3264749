"""Copying an SQLite database into a PostgreSQL one: drivers of `ports/copy_in.py`."""
