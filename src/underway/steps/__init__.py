"""One reversible act per file."""
