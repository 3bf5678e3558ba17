"""Choosing for longer than a night does anyway: shapes, recencies and sources, within a budget of time."""
