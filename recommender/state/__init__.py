"""What the online side remembers; see README.md."""
