"""Which release this is: shown in the footer of every page and by `/api/version`."""

VERSION = "1.0.0"
RELEASE_NOTE = "The first meadow"
