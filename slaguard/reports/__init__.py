"""The claim pack: a page for people, tables for spreadsheets, dates for calendars, and the files behind all of it.

Everything here takes an Evaluation and shows it. No figure is computed again: where a picture or a table adds records up,
the sum must equal the Evaluation's, and a report that does not add up is refused.
"""

from slaguard.reports.inputs import ClaimInputs, Note
from slaguard.reports.pack import write_claim_pack
from slaguard.reports.tally import ReportRefused

__all__ = ["ClaimInputs", "Note", "ReportRefused", "write_claim_pack"]
