"""Drivers of `PlaceMemory`."""
