"""Worlds in which rollouts are tried out, the shipped guard in them, and the rules of its peers."""
