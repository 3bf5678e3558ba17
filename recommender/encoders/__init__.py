"""From an item's content to a vector, for training and for new items alike; see README.md."""
