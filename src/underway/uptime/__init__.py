"""Pure: checks of a monitor become what it stands at."""
