"""Retrieval models, one per file, behind one protocol; see README.md."""
