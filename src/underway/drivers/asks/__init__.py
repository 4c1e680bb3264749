"""Asking what monitors ask."""
