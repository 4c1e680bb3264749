"""Copies of shared files that processes see in the place of the real ones."""
