"""What can be shown at all: one filter per file; each answers for a row, none reorders."""
