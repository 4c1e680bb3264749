"""The ports: one Protocol per file. The docstring is the contract: what is idempotent, what is raised."""
