"""Who may look and act through the dashboard and its API: accounts, roles, tokens, sessions. No I/O, no clock."""
