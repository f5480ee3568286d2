"""One page that says what a run found: a single file without anything remote, the verdict first, everything escaped."""

from bnfhmc.report.page.html import REPORT, render, write_report

__all__ = ["REPORT", "render", "write_report"]
