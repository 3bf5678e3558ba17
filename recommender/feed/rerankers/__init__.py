"""Orders of scored candidates: one reranker per file."""
