"""Vaults: drivers of `ports/vault.py`."""
