"""Drivers of `LeakSearch`."""
