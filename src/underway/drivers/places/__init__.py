"""Drivers of `Place`: one file per provider, and the HTTP they share."""
