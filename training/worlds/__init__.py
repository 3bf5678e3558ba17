"""Sample data as contract files; see README.md beside this file."""
