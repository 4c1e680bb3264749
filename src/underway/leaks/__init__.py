"""Whether what looks like a secret is one, and what to do about it. Pure: it reads no file."""
