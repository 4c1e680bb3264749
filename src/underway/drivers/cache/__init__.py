"""Caches: drivers of `ports/services.py` Cache."""
