"""Compiled inner loops: arrays in, arrays out, no I/O, no knowledge of requests; see README.md."""
