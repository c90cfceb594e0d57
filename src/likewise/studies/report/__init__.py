"""The report: everything a recommender learned on one page that needs no network."""

from likewise.studies.report.judge import Judged, judge
from likewise.studies.report.write import write_report

__all__ = ["Judged", "judge", "write_report"]
