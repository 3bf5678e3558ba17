"""What retrieves candidates, one source per file; `recommender.wiring` lists them."""
