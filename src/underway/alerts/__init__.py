"""Pure: what is wrong becomes alerts, and alerts become messages."""
