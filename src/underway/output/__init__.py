"""Pure: lines that processes write become levels, times, messages and trace ids; words become a search."""
