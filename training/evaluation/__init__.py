"""What a list of recommendations is worth: protocol, metrics, intervals, sanity rows, report."""
