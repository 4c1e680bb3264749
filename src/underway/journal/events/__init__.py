"""Every event there is, a file for each of the things that events tell of."""
