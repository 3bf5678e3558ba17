"""The feed: sources, filters, ranker, reranker and the pages that are cut from their slate; see README.md."""
