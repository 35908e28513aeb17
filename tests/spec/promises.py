"""Agreements for tests that need no loader: built from the normal form, each rule once, every optional term written."""

from datetime import datetime
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
    "runs_with_edges": {
        "indicator": {
            "rule": "error_rate_runs", "bin": "30s", "align": "clock", "min_requests": "2", "below_minimum": "up",
            "error_rate": {"at_least": "5%"}, "run": "2", "empty_bin": "continues_run", "cross_period": "split",
            "slow": {"field": "total_time", "more_than": "10s", "counts": "as_failed"}, "outage_rounding": "up",
            "run_over": "counted_minutes", "presence": {"from": "first_request", "to": "last_request"},
            "resources": {"by": ["region", "attributes.zone"], "down_when": "all"},
        },
        "at_least": "99.5%",
        "credits": [{"edge": "99.5%", "credit": "10%"}],
    },
    "mean_of_resources": {
        "indicator": {
            "rule": "mean_of_intervals", "bin": "7m", "align": "period_start", "min_requests": "3",
            "below_minimum": "leave_out",
            "empty_bin": "leave_out", "slow": {"field": "time_to_first_token", "at_least": "2s", "counts": "as_failed"},
            "presence": {"from": "first_request", "to": "last_request"}, "resources": {"by": ["region"], "down_when": "mean"},
        },
        "at_least": "99.5%",
        "credits": [{"edge": "99.5%", "credit": "10%"}],
    },
    "dual_threshold": {
        "indicator": {
            "rule": "dual_threshold", "bin": "1m", "align": "clock",
            "tests": [
                {"error_rate": {"at_most": "1%"}, "share": {"at_least": "99.9%"}},
                {"error_rate": {"less_than": "10%"}, "share": {"at_least": "99.99%"}},
            ],
            "empty_bin": "good", "priced_by": "worst", "min_requests": "3", "below_minimum": "up",
            "slow": {"field": "total_time", "more_than": "10s", "counts": "on_its_own"},
            "presence": {"from": "first_request", "to": "last_request"}, "resources": {"by": ["region"], "down_when": "any"},
        },
        "credits": [{"edge": "99.99%", "credit": "10%"}, {"edge": "99%", "credit": "25%"}],
    },
    "outages_min_length": {
        "indicator": {
            "rule": "outages_min_length", "min_length": "5m", "severities": ["major", "critical"],
            "stated_by": ["status page"], "outage_rounding": "up",
        },
        "at_least": "99.9%",
        "source": ["incident"],
        "credits": [{"edge": "99.9%", "credit": "5%"}],
    },
    "report_clock": {
        "indicator": {
            "rule": "report_clock", "severities": ["1"], "ticket_within": "24h", "late_ticket": "zero", "no_ticket": "zero",
        },
        "at_least": "99.95%",
        "source": ["incident"],
        "credits": [{"edge": "99.95%", "credit": "10%"}],
    },
    "defects_per_volume": {
        "indicator": {
            "rule": "defects_per_volume", "volume": "words", "per": "1000", "most": {"minor": "2", "major": "0"},
            "short_text": {"minor": "1"}, "last_block": "floor",
        },
        "at_least": "98%",
        "credits": [{"edge": "98%", "credit": "5%"}],
    },
    "weighted_penalty": {
        "indicator": {
            "rule": "weighted_penalty", "volume": "strings", "weights": {"minor": "1", "major": "5"}, "floor": "none",
        },
        "at_least": "90%",
        "credits": [{"edge": "90%", "credit": "5%"}],
    },
    "versus_baseline": {
        "indicator": {
            "rule": "versus_baseline", "event": "correct", "grading": "human", "drop": "absolute_points",
            "grades": {"correct": "ok", "wrong": "fail", "unparsed": "fail"},
            "baseline": {"value": "92%", "frozen": "2026-08-01", "model": "model-a-002"},
        },
        "at_most": "3%",
        "credits": [{"edge": "3%", "credit": "5%"}],
    },
    "group_gap": {
        "indicator": {
            "rule": "group_gap", "event": "unsupported", "grading": "rule", "by": "attributes.language", "reference": "de",
            "min_n": "200", "grades": {"correct": "ok", "unsupported": "fail"},
        },
        "at_most": "5%",
        "pairs_with": "refusals",
        "credits": [{"edge": "5%", "credit": "5%"}],
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
    "interval_p50": {
        "indicator": {
            "rule": "interval_p50", "bin": "5m", "speed": {"tokens": "output_tokens", "over": "generation", "more_than": "50"},
            "min_requests": "2", "empty_bin": "leave_out",
        },
        "at_least": "99%",
        "credits": [{"edge": "99%", "credit": "5%"}],
    },
    "mean_of_minutes": {
        "indicator": {
            "rule": "mean_of_minutes", "bin": "1m", "of": {"speed": {"tokens": "output_tokens", "over": "request"}},
            "weights": "equal", "min_requests": "100",
        },
        "at_least": "50",
        "credits": [{"edge": "50", "credit": "5%"}, {"edge": "40", "credit": "10%"}],
    },
    "mean_time": {
        "indicator": {
            "rule": "mean_of_minutes", "bin": "1m", "of": {"field": "total_time"}, "weights": "requests", "min_requests": "1",
        },
        "at_most": "2s",
        "credits": [{"edge": "2s", "credit": "5%"}],
    },
    "request_speed": {
        "indicator": {
            "rule": "request_attainment", "speed": {"tokens": "output_tokens", "over": "request", "at_least": "40"},
            "failed": "leave_out", "min_requests": "100",
        },
        "at_least": "99%",
        "credits": [{"edge": "99%", "credit": "5%"}],
    },
    "filtered": {
        "indicator": {
            "rule": "ratio", "of": "successes", "min_requests": "1",
            "repeats": {
                "within": "5m", "window": "fixed", "by": ["client_id", "service"], "end": "inclusive", "success_resets": "no",
            },
            "backoff": {"first": "1s", "factor": "2", "max": "2h", "per": ["client_id"], "gap_from": "error_end"},
        },
        "at_least": "99%",
        "eligible": {
            "entitlement": {
                "window": "15m", "tokens": "450000", "weights": {"input": "1", "output": "6", "cached_input": "0.5"},
                "of": "eligible",
            },
            "tier_served": "priority",
        },
        "credits": [{"edge": "99%", "credit": "5%"}],
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
    if isinstance(node, datetime):
        return node.isoformat()
    return node if node is None else str(node).lower() if isinstance(node, bool) else str(node)


def text(explained: str) -> str:
    """Return an explanation without its line breaks."""
    return " ".join(explained.split())
