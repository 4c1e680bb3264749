"""The dashboard: pages for browsers, made on the server from the agent's views. No rule about releases lives here."""
