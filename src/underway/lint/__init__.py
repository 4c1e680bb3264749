"""The SQL of migrations → what it would do to those who use the database. Pure: nothing is run."""
