"""The command line: flags → a request to the agent → what a person or a script reads."""
