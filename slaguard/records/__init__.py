"""What happened: the record types, the one classifier, the canonical header bytes, and Evidence.

Every record is frozen and carries raw facts beside the one `outcome`, so that a later reading of the contract can count
it again. Times are integer nanoseconds UTC.
"""

from slaguard.records.calls import Adjudication, Observation, ProbeMissed, ProbePlanned, Score
from slaguard.records.classifier import RawFacts, classify
from slaguard.records.clock import MINUTE, NS, NS_PER_MS, Clock, Instant
from slaguard.records.documents import FACT_TYPES, TALLIED, Coverage, Fact, Incident, TrafficTally
from slaguard.records.evidence import NULL, Column, Evidence, Span, Table, merge_spans
from slaguard.records.headers import (
    MAX_ATTRIBUTES,
    MAX_TEXT,
    NANOSECONDS,
    RECORD_TYPES,
    SCHEMA_VERSION,
    Record,
    escape,
    from_header,
    header,
    unescape,
)

__all__ = [
    "FACT_TYPES", "MAX_ATTRIBUTES", "MAX_TEXT", "MINUTE", "NANOSECONDS", "NS", "NS_PER_MS", "NULL", "RECORD_TYPES",
    "SCHEMA_VERSION", "TALLIED", "Adjudication", "Clock", "Column", "Coverage", "Evidence", "Fact", "Incident", "Instant",
    "Observation", "ProbeMissed", "ProbePlanned", "RawFacts", "Record", "Score", "Span", "Table", "TrafficTally", "classify",
    "escape", "from_header", "header", "merge_spans", "unescape",
]  # fmt: skip
