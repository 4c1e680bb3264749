"""Builds on this machine, and the Pythons they can be made for."""

from underway.drivers.builds.environment import build_environment
from underway.drivers.builds.interpreters import available_pythons
from underway.drivers.builds.local import LocalBuilds
from underway.drivers.builds.static_files import is_hashed

__all__ = ["LocalBuilds", "available_pythons", "build_environment", "is_hashed"]
