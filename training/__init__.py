"""Windowshop, the offline side: from logs to bundles, and honest evaluation."""
