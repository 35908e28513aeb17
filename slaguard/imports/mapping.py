"""The Mapping: what the columns of a log mean, as a document (`kind: Mapping`).

Nothing that decides how a record counts is implied: source, population, coverage, clock and outcomes are written out, and
`first..last` or `unknown` are words one has to choose. Column names of nested JSON are dotted (``error.code``).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from slaguard.imports.parsers import PARSERS
from slaguard.imports.scalars import Covers, Interval, Number, Pattern, TimeFormat
from slaguard.spec.conditions import Listed, Term
from slaguard.spec.scalars import Duration, Flag, Slug, Whole, Words, Zone, refuse
from slaguard.terms import Attribution, Grade, Outcome, Source

BOUNDS: Final = ("at_least", "at_most", "more_than", "less_than")


# ── conditions on one row ───────────────────────────────────────────────────────────────────────────────────────────
def _test(value: Any) -> Any:
    if isinstance(value, dict | Term):
        return value
    return {"values": value if isinstance(value, list | tuple) else [value]}


class TestForm(Term):
    """A condition on one cell. Several words in one condition must all hold."""

    __test__ = False

    values: Annotated[tuple[Words, ...], Field(min_length=1)] | None = None
    """The cell is one of these; numbers are compared as numbers (`429` is `429.0`)."""
    matches: Pattern | None = None
    """The pattern (RE2) is found in the cell; anchor it with ^ and $."""
    lacks: Pattern | None = None
    """The pattern (RE2) is not found in the cell."""
    empty: Flag | None = None
    """true: the cell has no value; false: it has one."""
    at_least: Number | None = None
    """The cell is a number of at least this."""
    at_most: Number | None = None
    """The cell is a number of at most this."""
    more_than: Number | None = None
    """The cell is a number above this."""
    less_than: Number | None = None
    """The cell is a number below this."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise refuse("E-SPEC-SCHEMA", "write values, matches, lacks, empty, or a bound such as at_least")
        return self


Test = Annotated[TestForm, BeforeValidator(_test)]
"""Written as a value, a list of values, or a map: ``yes``, ``[429, 529]``, ``{matches: "time.?out"}``, ``{empty: true}``."""
When = dict[str, Test]
"""Conditions by column; all of them hold."""


# ── fields ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str | list | tuple) else value


class FieldForm(Term):
    """Where a field comes from: a column, or a constant."""

    column: Listed[Words] | None = None
    """The column; of several, the first that has a value."""
    constant: Words | None = None
    """The same value in every record."""
    pattern: Pattern | None = None
    """Take what this pattern (RE2) finds, its group if it has one; where it finds nothing the field is missing."""
    values: dict[str, Words] | None = None
    """Other words for the column's own; a word that is not listed stays as it is."""
    optional: Flag | None = None
    """true: a file without the column is read too; the field is then missing."""

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is None) == (self.constant is None):
            raise refuse("E-SPEC-SCHEMA", "write either column or constant")
        return self


From = Annotated[FieldForm, BeforeValidator(_column)]
"""Written as a column's name, a list of them, or a map: ``model``, ``{constant: Acme AI}``."""


class TimeField(Term):
    """A column of times."""

    column: Listed[Words]
    """The column; of several, the first that has a value."""
    format: TimeFormat
    """How its times are written: iso8601, epoch_s, epoch_ms, epoch_us, epoch_ns, or a strptime pattern."""
    zone: Zone | None = None
    """The zone of times that name none; absent: the mapping's `zone`."""
    optional: Flag | None = None
    """true: a file without the column is read too; the field is then missing."""


class DurationField(Term):
    """A column of durations."""

    column: Listed[Words]
    """The column; of several, the first that has a value."""
    unit: Literal["s", "ms", "us", "ns", "min"]
    """The unit of its numbers."""
    optional: Flag | None = None
    """true: a file without the column is read too; the field is then missing."""


class Fields(Term):
    """The canonical fields of a record."""

    vendor: From | None = None
    """The vendor who was called, as the Agreement names it; absent: whoever imports says it."""
    service: From | None = None
    """The service."""
    model_requested: From | None = None
    """The model that was asked for."""
    model_returned: From | None = None
    """The model that answered, as the vendor named it."""
    region: From | None = None
    """The region."""
    tier_served: From | None = None
    """The service tier that answered."""
    status: From | None = None
    """The HTTP status."""
    error_code: From | None = None
    """The vendor's or the client library's word for the error."""
    stream: From | None = None
    """Whether the answer was streamed."""
    stream_end: From | None = None
    """How the stream ended."""
    input_tokens: From | None = None
    """Tokens of the question."""
    output_tokens: From | None = None
    """Tokens of the answer."""
    logical_request_id: From | None = None
    """What the attempts of one request share."""
    attempt: From | None = None
    """Which attempt it was, from 1."""
    client_id: From | None = None
    """Who called."""
    grounded: From | None = None
    """Whether the answer used supplied or searched sources."""
    inclusion_probability: From | None = None
    """The chance with which this record was kept; it takes the place of `population`."""
    cluster: From | None = None
    """What related records share, such as a conversation."""
    golden_item: From | None = None
    """The question of an agreed set."""
    request_id: From | None = None
    """The vendor's own request id."""
    fingerprint: From | None = None
    """The vendor's system fingerprint."""
    scheduled_at: TimeField | None = None
    """When the call was due."""
    sent_at: TimeField | None = None
    """When the request was sent."""
    first_byte_at: TimeField | None = None
    """When the first byte or token came."""
    ended_at: TimeField | None = None
    """When the answer was complete."""
    time_to_first_token: DurationField | None = None
    """How long the first byte or token took."""
    total_time: DurationField | None = None
    """How long the whole answer took."""


# ── records without a clock ─────────────────────────────────────────────────────────────────────────────────────────
def _batch(value: Any) -> Any:
    return {"span": value} if isinstance(value, str) else value


class BatchForm(Term):
    """The span in which records were made that have no time of their own; exactly one of span, day, ends."""

    span: Interval | None = None
    """START/END, the same for all records."""
    day: TimeField | None = None
    """A column of dates: each record was made some time on that local day."""
    ends: TimeField | None = None
    """A column with the end of the run a record belongs to."""
    within: Duration | None = None
    """With `ends`: the run began at most this long before its end."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(given is not None for given in (self.span, self.day, self.ends)) != 1:
            raise refuse("E-SPEC-SCHEMA", "write exactly one of span (START/END), day (a column of dates), ends (a run's end)")
        if (self.ends is None) != (self.within is None):
            raise refuse("E-SPEC-SCHEMA", "a run's end goes with how long it lasted at most: within: 1h")
        return self


class Time(Term):
    """How records without a clock are placed in time; no rule that needs a time of day can use them."""

    batch: Annotated[BatchForm, BeforeValidator(_batch)]
    """START/END, or a column that says which day or run a record belongs to."""


# ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────────────
Failure = Literal["timeout", "client_deadline", "connection", "client_abort", "own_network", "own_probe", "harness"]


class Facts(Term):
    """What is known of an attempt, handed to slaguard's own classifier; what is absent comes from `fields`."""

    status: Whole | None = None
    """The HTTP status."""
    error_code: Words | None = None
    """The vendor's word for the error."""
    failure: Failure | None = None
    """Why the exchange did not end."""
    body: Literal["empty", "error", "incomplete"] | None = None
    """What was wrong with the answer's body."""
    answer: Literal["refused", "content_filtered"] | None = None
    """The answer was a refusal, or a filter withheld it."""


class OutcomeRule(Term):
    """If all conditions hold: the facts to classify, the outcome the log itself states, or why the row is no call."""

    when: When | None = None
    """Conditions by column; absent: every row (the last rule)."""
    facts: Facts | None = None
    """What is known, to be classified; `{}`: the fields alone say it."""
    outcome: Outcome | None = None
    """The outcome, where the log states one."""
    attribution: Attribution | None = None
    """With `outcome`: at whose door the failure lies."""
    skip: Words | None = None
    """Why such a row is no call to the vendor; it is counted and left out."""

    @model_validator(mode="after")
    def _one_result(self) -> Self:
        if sum(given is not None for given in (self.facts, self.outcome, self.skip)) != 1:
            raise refuse("E-SPEC-OUTCOME", "write exactly one of facts, outcome, skip")
        if (self.outcome is None) != (self.attribution is None):
            raise refuse("E-SPEC-OUTCOME", "an outcome goes with its attribution: attribution: vendor")
        return self


# ── grades ──────────────────────────────────────────────────────────────────────────────────────────────────────────
class GradeRule(Term):
    """If all conditions hold, the grade."""

    when: When | None = None
    """Conditions by column; absent: every row (the last rule)."""
    grade: Grade
    """The grade."""
    reason: Words | None = None
    """Why an answer could not be graded (with `unscored`)."""


class Parser(Term):
    """A named parser that reads the answer's text and compares it with the reference."""

    use: Words
    """`name@version`: bracketed_yes_no@1, last_yes_no@1."""
    answer: Words
    """The column with the answer's text."""
    reference: Words
    """The column with the right answer."""


class ScoreRule(Term):
    """One grader of every answer: rules over columns, or a named parser."""

    name: Slug | None = None
    """Tells several graders of one mapping apart: the scorer is then `import:<mapping>/<name>@<version>`."""
    grades: Annotated[tuple[GradeRule, ...], Field(min_length=1)] | None = None
    """The first rule whose conditions hold gives the grade."""
    parser: Parser | None = None
    """A named parser; the scorer is `import:<mapping>/<parser>@<version>`."""
    human: Flag | None = None
    """true: people gave these grades; each becomes an Adjudication."""
    by: From | None = None
    """With `human`: who graded."""

    @model_validator(mode="after")
    def _one_grader(self) -> Self:
        if (self.grades is None) == (self.parser is None):
            raise refuse("E-SPEC-SCHEMA", "write either grades or parser")
        if bool(self.human) != (self.by is not None):
            raise refuse("E-SPEC-SCHEMA", "grades by people name them: human: true and by: {constant: …} or a column")
        if self.human and self.parser is not None:
            raise refuse("E-SPEC-SCHEMA", "a parser is not a person: leave out human or parser")
        if self.parser is not None and self.name is not None:
            raise refuse("E-SPEC-SCHEMA", "a parser has its own name: leave out name")
        return self


# ── what should be there ────────────────────────────────────────────────────────────────────────────────────────────
class Expected(Term):
    """How many calls were made, so that calls which never reached the log show as not measured."""

    rows: Whole
    """Calls in each group."""
    per: Listed[Words]
    """The columns that tell the groups apart."""


class Attempts(Term):
    """Columns that hold one value for each attempt of a request, as proxies write them (`502, 200`)."""

    columns: Listed[Words]
    """The columns; values are separated by commas or colons, one Observation each."""


class Mapping(Term):
    """What the columns of a log mean."""

    apiVersion: Literal["slaguard/v1"]  # noqa: N815 - the one key of the notation that is not snake_case
    """The notation's version."""
    kind: Literal["Mapping"]
    """Always Mapping."""
    name: Slug
    """Its name: records say `via: import:<name>`."""
    version: Whole
    """Raised by one with every change."""
    text: Words
    """What the log is, and what is known of how it was made."""
    recognised_by: Listed[Words] | None = None
    """A file that has all these columns is read with this mapping when none is named (`auto`)."""
    source: Source
    """traffic: the customer's own calls; probe: questions asked in order to measure."""
    population: Literal["complete", "unknown"]
    """complete: every call there was is in the file; unknown: it is a part, nobody knows which."""
    covers: Covers
    """The time for which the log is whole: START/END, first..last (of its records), or batches."""
    zone: Zone | None = None
    """The zone of times that name none; absent: such times are refused."""
    delimiter: Literal[",", ";", "|", "tab"] | None = None
    """What separates the cells of a CSV; absent: whichever of comma, semicolon and tab the header has most of."""
    missing: Listed[Words] = ()
    """Texts that stand for no value, such as `-`; the empty cell always does."""
    fields: Fields
    """Where each field comes from."""
    attributes: dict[Slug, From] = Field(default_factory=dict, max_length=32)
    """Whatever else is worth keeping; an Agreement says `attributes.<name>`."""
    time: Time | None = None
    """For records without a clock; absent: `fields` names sent_at or ended_at."""
    id: Listed[Words] | None = None
    """Columns that identify a call; absent: the whole row, and its number among equal rows of its file."""
    attempts: Attempts | None = None
    """Columns that hold one value for each attempt; absent: a row is one attempt."""
    outcomes: Annotated[tuple[OutcomeRule, ...], Field(min_length=1)] | None = None
    """The first rule whose conditions hold says what became of the call; absent: the field `status` says it."""
    scores: tuple[ScoreRule, ...] = ()
    """Grades that the log holds."""
    expected: Expected | None = None
    """How many calls were made; absent: unknown."""

    @model_validator(mode="after")
    def _clock(self) -> Self:
        has_clock = self.fields.sent_at is not None or self.fields.ended_at is not None
        if has_clock == (self.time is not None):
            mend = "name fields.sent_at or fields.ended_at, or, for records without a clock, time: {batch: START/END}"
            raise refuse("E-SPEC-SCHEMA", mend)
        if self.covers.word == "batches" and self.time is None:
            raise refuse("E-SPEC-SCHEMA", "covers: batches is for records without a clock; write first..last or START/END")
        return self

    @model_validator(mode="after")
    def _outcome(self) -> Self:
        if self.outcomes is None and self.fields.status is None:
            mend = "say how each call ended: outcomes: [{when: {…}, facts: {…}}, …], or fields.status"
            raise refuse("E-SPEC-OUTCOME", mend)
        whens = [[rule.when for rule in self.outcomes or ()]]
        whens += [[rule.when for rule in score.grades or ()] for score in self.scores]
        for rules in whens:
            if None in rules[:-1]:
                raise refuse("E-SPEC-OUTCOME", "a rule without conditions fits every row: put it last")
        return self

    @model_validator(mode="after")
    def _graders(self) -> Self:
        names = [s.parser.use if s.parser else s.name for s in self.scores]
        if len(set(names)) != len(names):
            raise refuse("E-SPEC-DUP", "two graders have one name: give each a name of its own")
        unknown = [s.parser.use for s in self.scores if s.parser and s.parser.use not in PARSERS]
        if unknown:
            raise refuse("E-SPEC-REF", f"there is no parser {unknown[0][:60]!r}; there are {', '.join(PARSERS)}")
        return self
