"""Plans: pure values made of facts. The same facts give the same plan, byte for byte."""
