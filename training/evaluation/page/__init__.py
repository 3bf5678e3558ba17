"""A report as one page that needs nothing beside it: no network, no script; tables and plots inline."""

from training.evaluation.page.document import write_page

__all__ = ["write_page"]
