"""Good Agreements to break: one short with profiles, one with every kind of promise, written once for many tests."""

from __future__ import annotations

from pathlib import Path

from slaguard.errors import Problem, SpecError
from slaguard.spec.library import Shelves
from slaguard.spec.load import Loaded, examine, loads
from slaguard.spec.notation import parse

SOURCE = "acme.yaml"
SHIPPED = Shelves()
PINNED = "ca01b0d7a62ab7ee7b2b0282d08dbf381770b3b4c4fd17e4cd9cfd0fca132e8d"
ACME = Path(__file__).resolve().parents[2] / "sla_specs" / "examples" / "acme-chat.yaml"

SHORT = """\
apiVersion: slaguard/v1
kind: Agreement
name: acme-chat
version: 1
vendor: Acme AI
customer: Example Bank AG
contract: C-2031
effective: 2026-08-01
time_zone: Europe/Berlin
period: month
fee: 12000.00 EUR
use:
  - outcomes/server-faults@1
  - claim/written@1: {days: 30}
objectives:
  - name: uptime
    clause: Exhibit B 2.1
    use: uptime/mean-of-5-minutes@1
    at_least: 99.5%
    credits:
      below 99.5%: 10%
      below 99.0%: 25%
"""

FULL = f"""\
apiVersion: slaguard/v1
kind: Agreement
name: full-house
version: 3
status: draft
owner: vendor-management
vendor: Example Cloud Ltd
customer: Example Bank AG
contract: {{id: C-2031, basis: negotiated}}
effective: 2026-08-01
expires: 2028-07-31
time_zone: Europe/Berlin
period: month
tags: [DORA-30.3.a, EU-AI-Act-15.3]
fee: {{amount: 12000.00 USD, per: month, minimum_payout: 1.00 USD}}
services:
  - id: chat
    models: [large, small]
    regions: [eu-west]
    where: {{stream: true}}
  - {{id: search}}
outcomes:
  server_error: fail
  overloaded: fail
  request_timeout: fail
  timeout: {{after: 60s, as: fail}}
  connection_error: fail
  truncated: fail
  empty: fail
  error_body: fail
  rate_limited: ok
  refused: ok
  content_filtered: ok
  redirect: drop
  client_error: drop
  auth_error: drop
  client_deadline: drop
  client_abort: drop
  codes: {{overloaded_error: fail}}
min_coverage: 95%
source: [traffic, probe]
decision: {{estimand: realised, rule: point, alpha: 5%, min_n: 1}}
exclusions:
  - id: maintenance
    kind: maintenance
    clause: B-2.4
    asserted_by: vendor
    notice: 72h
    cap: {{per: month, length: 4h}}
    effect: count_as_up
    proof: [announcement]
  - id: grounding
    kind: grounding
    clause: B-2.5
    asserted_by: vendor
    selector: {{grounded: true}}
    effect: drop_records
    proof: [request_field]
objectives:
  - name: uptime
    service: chat
    clause: {{where: Exhibit B 2.1, words: five or more consecutive minutes}}
    indicator:
      rule: error_rate_runs
      bin: 1m
      error_rate: {{more_than: 5%}}
      run: 5
      min_requests: 20
      below_minimum: up
      empty_bin: breaks_run
      cross_period: attribute_minutes
    at_least: 99.5%
    credits:
      below 99.5%: 10%
      below 99.0%: 25%
      below 95.0%: 50%
  - name: interval-uptime
    clause: Exhibit B 2.1
    use: uptime/mean-of-5-minutes@1
    at_least: 99.9%
    remedy: {{kind: none}}
  - name: error-rate
    service: [chat, search]
    clause: Exhibit B 2.2
    indicator: {{rule: ratio, of: failures, min_requests: 1000}}
    at_most: 1%
    credits: {{above 1%: 5%, above 3%: 10%}}
  - name: first-token
    clause: Exhibit B 2.3
    eligible: {{stream: true, input_tokens: {{at_most: 200000}}}}
    indicator: {{rule: percentile, field: time_to_first_token, p: 95%, failed: exceed, min_requests: 100}}
    at_most: 2s
    credits: {{above 2s: 5%}}
  - name: speed
    clause: Exhibit B 2.4
    indicator: {{rule: request_attainment, field: total_time, within: {{at_most: 10s}}, failed: miss, min_requests: 100}}
    at_least: 99%
    remedy: {{kind: none}}
  - name: accuracy
    clause: Exhibit C 1
    use: accuracy/agreed-questions@1
    golden_set: {{id: claims-qa@4, sha256: {PINNED}}}
    at_least: 92%
    credits: {{below 92%: 5%, below 88%: 15%}}
  - name: hallucination
    clause: Exhibit C 2
    use: hallucination/human-audited-sample@1
    at_most: 2%
    remedy: {{kind: none}}
  - name: refusals
    clause: Exhibit C 3
    use: errors/share-refused@1
    at_most: 4%
    remedy: {{kind: none}}
combine: sum_to_cap
caps: [{{value: 50%, per: month}}]
claim:
  deadlines:
    - {{type: notify, n: 30, unit: days, anchor: period_end, margin: {{n: 2, unit: business_days}}}}
    - {{type: dispute, n: 30, unit: days, anchor: notice_sent, margin: {{n: 2, unit: days}}}}
  channel: support case
  forfeits: true
"""


def load_text(text: str, library: Shelves = SHIPPED) -> Loaded:
    """Load a text as an Agreement."""
    return loads(text, SOURCE, library)


def found(text: str, library: Shelves = SHIPPED) -> tuple[Problem, ...]:
    """Return everything found in a text, warnings included."""
    try:
        return examine(parse(text, SOURCE), library)[1]
    except SpecError as error:
        return error.problems


def codes(text: str, library: Shelves = SHIPPED) -> list[str]:
    """Return the codes found in a text."""
    return [problem.code for problem in found(text, library)]


def line_of(text: str, part: str) -> int:
    """Return the line, counted from 1, in which a part of a text first stands."""
    return text[: text.index(part)].count("\n") + 1
