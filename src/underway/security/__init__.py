"""Pure: requests become security events: log-ins that are tried again and again, scans, names of no app."""
