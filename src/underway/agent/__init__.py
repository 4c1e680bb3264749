"""The daemon: its loop and its API. Thin; no rule lives here."""
