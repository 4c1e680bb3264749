"""Pure: what an app's processes write becomes errors with fingerprints, without secrets."""
