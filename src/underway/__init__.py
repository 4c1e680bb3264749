"""Underway takes a web app from its repository to production and keeps it there."""

__version__ = "0.1.0"
