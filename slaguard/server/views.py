"""What the API answers beside Evaluations and breach records, as JSON (pydantic models, so that OpenAPI describes them)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from slaguard.evaluation.parts import Time
from slaguard.records import Fact, Incident
from slaguard.spec.load import Loaded


class View(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)


class ErrorPart(View):
    """What was wrong."""

    code: str
    """A word for programs, such as `bad_parameter`."""
    message: str
    """A sentence for people: what was wrong, and how to mend it."""


class ErrorView(View):
    """Every error."""

    error: ErrorPart


class PromiseView(View):
    """One promise of an Agreement."""

    name: str
    clause: str
    """Where it stands in the contract."""
    target: str
    """The bound as written: `at_least 99.5%`."""
    scopes: tuple[str, ...]
    """Each is a result of its own; `all` where the promise names no service."""
    priced: bool
    """Whether breaking it pays a credit."""


class AgreementView(View):
    """One Agreement in force."""

    name: str
    version: int
    vendor: str
    customer: str
    contract: str
    effective: str
    """The first day it is in force, YYYY-MM-DD."""
    period: str
    """How long one of its own periods is: month, quarter, …"""
    time_zone: str
    spec_sha256: str
    """Over its normal form; the same as in Evaluations made with it."""
    profiles: tuple[str, ...]
    promises: tuple[PromiseView, ...]

    @classmethod
    def of(cls, loaded: Loaded) -> AgreementView:
        """Return the view of an Agreement."""
        terms = loaded.agreement
        return cls(
            name=terms.name,
            version=terms.version,
            vendor=terms.vendor,
            customer=terms.customer,
            contract=terms.contract.id,
            effective=terms.effective.isoformat(),
            period=terms.period.value,
            time_zone=terms.time_zone,
            spec_sha256=loaded.spec_sha256,
            profiles=loaded.profiles,
            promises=tuple(
                PromiseView(
                    name=one.name,
                    clause=one.clause.where,
                    target=f"{one.bound.word} {one.target}",
                    scopes=tuple(one.service or ("all",)),
                    priced=one.is_priced,
                )
                for one in terms.objectives
            ),
        )


class IncidentView(View):
    """An outage as somebody states it."""

    id: str
    start: Time
    end: Time | None
    """Null while it lasts."""
    severity: str
    source: str
    recorded_at: Time | None

    @classmethod
    def of(cls, one: Incident) -> IncidentView:
        """Return the view of an Incident."""
        return cls(
            id=one.id, start=one.start, end=one.end, severity=one.severity, source=one.source, recorded_at=one.recorded_at
        )


class FactView(View):
    """A dated document or statement."""

    id: str
    type: str
    """ticket, notice, invoice, announcement, awareness, model_notice, exclusion_state, incident_log or vendor_report."""
    when: Time
    by: str | None
    reference: str | None
    document_sha256: str | None
    exclusion: str | None
    """The exclusion that an announcement claims, or whose state is set."""
    start: Time | None
    end: Time | None
    state: str | None
    recorded_at: Time | None

    @classmethod
    def of(cls, one: Fact) -> FactView:
        """Return the view of a Fact."""
        return cls(
            id=one.id, type=one.type, when=one.when, by=one.by, reference=one.reference, document_sha256=one.document_sha256,
            exclusion=one.exclusion, start=one.start, end=one.end, state=one.state, recorded_at=one.recorded_at,
        )  # fmt: skip


class StateView(View):
    """How it went."""

    status: Literal["healthy", "ready", "reloaded"]
