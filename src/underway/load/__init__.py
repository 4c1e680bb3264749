"""Requests as strict clients send them: no retry, every failure counted."""
