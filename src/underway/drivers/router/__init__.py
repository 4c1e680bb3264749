"""The proxy: Caddy, one per home."""
