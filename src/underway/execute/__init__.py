"""Runs steps: intent, apply, verify, outcome. Knows no step by name."""
