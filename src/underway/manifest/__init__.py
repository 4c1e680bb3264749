"""The manifest: each key declared once; text → frozen Manifest, or all problems at once."""
