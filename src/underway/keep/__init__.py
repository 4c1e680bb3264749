"""Pure: which backups stay, what each is worth, and what is due. No clock, no I/O."""
