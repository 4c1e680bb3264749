"""The nouns every room speaks. Pure values: no clock, no file, no process."""
