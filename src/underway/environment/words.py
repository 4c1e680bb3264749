"""Words that several made files share."""

MADE = "Made by `underway env {0}` from [env] of underway.toml; change it there."
"""By it a file is known as made, and is compared with what the schema says now."""
