"""Agreements for tests that need no loader: built from the normal form, each rule once, every optional term written."""

from typing import Any, Final

from slaguard.spec.model import Agreement

Document = dict[str, Any]
OUTCOMES: Final[Document] = {
    "empty": "fail", "error_body": "fail", "truncated": "fail", "refused": "ok", "content_filtered": "ok", "redirect": "drop",
    "client_error": "drop", "auth_error": "drop", "request_timeout": "fail", "rate_limited": "ok", "error_500": "fail",
    "error_5xx": "fail", "overloaded": "fail", "timeout": "fail", "timeout_after": "60s", "client_deadline": "drop",
    "connection_error": "fail", "client_abort": "drop", "codes": {"overloaded_error": "fail", "quota": "drop"},
}  # fmt: skip
WINDOW: Final[Document] = {
    "id": "maintenance", "clause": "B 2.4", "kind": "maintenance", "asserted_by": "vendor", "effect": "count_as_up",
    "notice": "72h", "cap": {"length": "4h", "per": "month"}, "proof": ["announcement"],
}  # fmt: skip
RECORDS: Final[Document] = {
    "id": "grounding", "clause": "B 2.5", "kind": "grounding", "asserted_by": "either", "effect": "drop_records",
    "selector": {"grounded": "true", "output_tokens": {"less_than": "75"}}, "proof": ["request_field"],
}  # fmt: skip
DECISION: Final[Document] = {"estimand": "realised", "rule": "point", "alpha": "5%", "min_n": "1"}
RULES: Final[dict[str, Document]] = {
    "mean_of_intervals": {
        "indicator": {
            "rule": "mean_of_intervals", "bin": "5m", "min_requests": "3", "below_minimum": "up", "empty_bin": "up",
        },
        "at_least": "99.5%",
        "exclusions": [WINDOW, RECORDS],
        "credits": [{"edge": "99.5%", "credit": "10%"}, {"edge": "99%", "credit": "25%"}, {"edge": "95%", "credit": "50%"}],
    },
    "error_rate_runs": {
        "indicator": {
            "rule": "error_rate_runs", "bin": "1m", "min_requests": "2", "below_minimum": "leave_out",
            "error_rate": {"more_than": "5%"}, "run": "5", "empty_bin": "breaks_run", "cross_period": "attribute_minutes",
        },
        "more_than": "99.5%",
        "exclusions": [{**WINDOW, "effect": "remove_minutes", "cap": None}],
        "credits": [{"edge": "99.5%", "credit": "10%"}],
    },
    "ratio": {
        "indicator": {"rule": "ratio", "of": "failures", "min_requests": "1000"},
        "at_most": "1%",
        "service": ["chat", "search"],
        "exclusions": [WINDOW],
        "credits": [{"edge": "1%", "credit": "5%"}, {"edge": "3%", "credit": "10%"}],
    },
    "percentile": {
        "indicator": {
            "rule": "percentile", "field": "time_to_first_token", "p": "95%", "failed": "exceed", "min_requests": "100",
        },
        "at_most": "2s",
        "eligible": {"stream": "true", "input_tokens": {"at_most": "200000"}},
        "credits": [{"edge": "2s", "credit": "5%"}],
    },
    "request_attainment": {
        "indicator": {
            "rule": "request_attainment", "field": "total_time", "within": {"at_most": "10s"}, "failed": "miss",
            "min_requests": "100",
        },
        "at_least": "99%",
        "credits": [{"edge": "99%", "credit": "5%"}],
    },
    "sample_proportion": {
        "indicator": {
            "rule": "sample_proportion", "event": "correct", "grading": "rule",
            "grades": {"correct": "ok", "wrong": "fail", "unparsed": "fail", "schema_error": "drop"},
        },
        "at_least": "92%",
        "source": ["probe"],
        "golden_set": {"id": "claims-qa@4", "sha256": "9c" * 32},
        "scorer": "exact@1",
        "decision": {"estimand": "defined_measure", "rule": "lower_bound", "alpha": "5%", "min_n": "500"},
        "credits": [{"edge": "92%", "credit": "5%"}, {"edge": "88%", "credit": "15%"}],
    },
}  # fmt: skip
"""Each rule once, with every optional term of it written somewhere."""


def objective(rule: str) -> Document:
    common = {
        "name": f"our-{rule}", "clause": {"where": f"Exhibit {rule}", "words": "as quoted"}, "outcomes": OUTCOMES,
        "source": ["traffic", "probe"], "min_coverage": "95%", "decision": DECISION,
    }  # fmt: skip
    return common | RULES[rule]


def agreement(*rules: str, **terms: Any) -> Agreement:
    """Build an Agreement from its normal form, without a loader."""
    document: Document = {
        "apiVersion": "slaguard/v1", "kind": "Agreement", "name": "acme-chat", "version": "1", "owner": "vendor desk",
        "vendor": "Acme AI", "customer": "Example Bank AG", "contract": {"id": "C-2031", "basis": "negotiated"},
        "effective": "2026-08-01", "expires": "2028-07-31", "time_zone": "Europe/Berlin", "period": "month",
        "fee": {"amount": "12000.00 EUR", "per": "month", "minimum_payout": "10.00 EUR"}, "tags": ["DORA-30.3.a"],
        "services": [
            {"id": "chat", "models": ["acme-large"], "regions": ["eu-1", "eu-2"], "where": {"stream": "true"}},
            {"id": "search"},
        ],
        "objectives": [objective(rule) for rule in rules],
        "combine": {"within_event": "highest_only", "across_objectives": "greater_of"},
        "caps": [{"value": "40%", "per": "month"}, {"amount": "5000.00 EUR", "per": "month"}],
        "claim": {
            "deadlines": [
                {"type": "notify", "n": "30", "unit": "days", "anchor": "period_end", "time_zone": "Europe/Berlin",
                 "margin": {"n": "2", "unit": "business_days"}},
                {"type": "ticket", "n": "24", "unit": "hours", "anchor": "awareness", "time_zone": "UTC",
                 "margin": {"n": "1", "unit": "days"}},
            ],
            "channel": "in writing",
            "forfeits": "true",
        },
    }  # fmt: skip
    return Agreement.model_validate(text_of(document | terms))


def text_of(node: Any) -> Any:
    """Return a dumped Agreement as the model takes it: text, tuples and maps."""
    if isinstance(node, dict):
        return {key: text_of(child) for key, child in node.items()}
    if isinstance(node, list | tuple):
        return tuple(text_of(child) for child in node)
    return node if node is None else str(node).lower() if isinstance(node, bool) else str(node)


def text(explained: str) -> str:
    """Return an explanation without its line breaks."""
    return " ".join(explained.split())
