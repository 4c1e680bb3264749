"""Letter Meadow: a small game in which children learn their letters."""
