"""What an app's variables must be, which layer gives each its value, and what is wrong with them. Pure."""
