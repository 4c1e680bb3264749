"""Smoke requests and journeys over HTTP on loopback."""
