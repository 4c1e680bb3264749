"""Repositories on this machine: what a release would be made of, its digest, and its copy."""

from underway.drivers.sources.local import LocalSources

__all__ = ["LocalSources"]
