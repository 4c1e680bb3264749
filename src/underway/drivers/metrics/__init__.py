"""Keeping what is measured."""
