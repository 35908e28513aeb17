"""The pictures of a claim. Each is drawn twice: wide for screens and paper, narrow for phones, the text readable in both."""

from slaguard.reports.charts.canvas import Chart, Mark
from slaguard.reports.charts.classes import class_chart
from slaguard.reports.charts.days import day_chart
from slaguard.reports.charts.latency import latency_chart
from slaguard.reports.charts.strip import strip_chart

__all__ = ["Chart", "Mark", "class_chart", "day_chart", "latency_chart", "strip_chart"]
