"""Home + environment → Drivers. The only room that names a concrete driver."""
