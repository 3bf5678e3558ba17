"""The ranker's examples, its fit, and the choice of what serves; see README.md."""
