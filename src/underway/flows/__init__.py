"""The stories, each short: what is asked, what the world is like, what is planned, what is done."""
