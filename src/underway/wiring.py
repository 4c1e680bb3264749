"""manifest + machine → Drivers. The only module that names a concrete driver."""
