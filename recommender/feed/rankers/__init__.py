"""What scores each candidate alone, one ranker per file."""
