"""The event vocabulary, and the fold that turns events into the state everything else reads."""
