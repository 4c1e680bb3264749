"""What apps' processes wrote, in SQLite files of the home: read on in their logs, searched, errors kept."""
