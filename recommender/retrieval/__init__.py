"""Finding rows near a vector, and summing neighbour lists; see README.md."""
