"""The reference pages of docs/, made from the source. `python -m tools.reference` writes them, `--check` compares."""
