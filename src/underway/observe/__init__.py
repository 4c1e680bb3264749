"""Reads the world through ports and returns terms. Changes nothing, judges nothing."""
