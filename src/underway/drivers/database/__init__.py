"""Databases: drivers of `ports/services.py` Database."""
