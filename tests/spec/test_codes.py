"""Every code: a small document that earns it, at the very line and column; and a paragraph in docs/errors.md."""

import re
from pathlib import Path

import pytest

from slaguard.errors import Place, Problem, SpecError
from slaguard.spec.codes import CODES, SEVERITY, ordered
from slaguard.spec.reading import read_text
from tests.spec.documents import FULL, SHORT, found

MARK = "§"
OUTCOMES = "  - outcomes/server-faults@1\n"
ACCURACY = """\
  - name: accuracy
    clause: Exhibit C 1
    use: accuracy/agreed-questions@1
    golden_set: claims-qa@4
    at_least: 92%
    remedy: {kind: none}
"""


EXCLUDED = """\
    exclusions:
      - {{id: x, clause: B, kind: maintenance, asserted_by: vendor, effect: count_as_up, proof: [], {}}}
"""


def short(old: str, new: str) -> str:
    assert old in SHORT, old
    return SHORT.replace(old, new, 1)


def full(old: str, new: str) -> str:
    assert old in FULL, old
    return FULL.replace(old, new, 1)


def paying(remedy: str, more: str = "") -> str:
    """Return the short document with another remedy, and with more lines at the top level."""
    head, _, _ = SHORT.partition("    credits:")
    return head.replace("objectives:\n", f"{more}objectives:\n") + f"    remedy: {remedy}\n"


def table(rows: str, more: str = "gap_policy: refuse") -> str:
    """Return the short document with a table of credits as printed."""
    return paying(f"{{kind: step_table, edges: from_inclusive, {more}, rows: {rows}}}")


def told_at_rows(rows: str, more: str = "gap_policy: refuse") -> str:
    """Return the same, with the fault at the rows as a whole."""
    return table(f"§{rows}", more).replace("rows: §", "§rows: ")


PRINTED = "gap_policy: refuse, overlap_policy: readings"
WHOLE = "[{from: 99%, to: 99.5%, credit: 10%}, {from: 0%, to: 99%, credit: 25%}]"
POOL = "{kind: pool_allocation, at_risk: 10%, category: {name: availability, share: 50%}, share: 40%}"
AGAIN = (
    paying(POOL.replace("share: 40%", "share: §50%")).partition("objectives:\n")[2].replace("uptime", "again", 1)
    + "combine: sum_to_cap\n"
)
CHRONIC = "chronic:\n  - {id: often, clause: B-4, undecided: skip, right: terminate, "


def often(rest: str) -> str:
    """Return the short document with a right after bad periods."""
    return short("objectives:\n", f"{CHRONIC}{rest}\nobjectives:\n")


def earning(term: str) -> str:
    """Return the short document with an earn-back."""
    return short("objectives:\n", f"earn_back: {term}\nobjectives:\n")


OF_FEE = "{amount: 12000.00 EUR, per: month, base: service, amounts: {§chat: 1.00 EUR}}"
DAILY = "{kind: usage_multiple, window: period, days: all, rows: ["
POINTS = "points_table: {average_with_previous: 0, rows: [{from: 5, credit: 5%}, §{from: 5, credit: 9%}]}\n"
FAILED = "errors/share-failed@1"
POINTED = "points_table: {average_with_previous: 0, rows: [§{from: 6, credit: 5%}]}\n"
VAIN = [
    (
        "W-SPEC-NO-EFFECT",
        paying("{kind: none}", "earn_back: [§{objective: uptime, above: 99%, over: year, average: recomputed}]\n"),
    ),
    ("W-SPEC-NO-EFFECT", paying("{kind: points, points: 5}", POINTED)),
    ("W-SPEC-NO-EFFECT", paying("{kind: pro_rata, times: §0x}")),
    ("E-SPEC-CAP", short("objectives:\n", "caps: [{amount: 9000.00 EUR, of: §fee, per: month}]\nobjectives:\n")),
    ("E-SPEC-CAP", short("objectives:\n", "caps: [{value: 90%, per: month, scope: §service}]\nobjectives:\n")),
]
MONEY = [
    ("E-SPEC-TIER-GAP", told_at_rows("[{from: 99%, to: 99.5%, credit: 10%}, {from: 0%, to: 98%, credit: 25%}]")),
    ("E-SPEC-TIER-GAP", told_at_rows("[{from: 95%, to: 99.5%, credit: 10%}]")),
    ("W-SPEC-TIER-GAP", told_at_rows("[{from: 95%, to: 99.5%, credit: 10%}]", "gap_policy: readings")),
    ("E-SPEC-TIER-TARGET", told_at_rows("[{from: 0%, to: 99%, credit: 10%}]")),
    ("E-SPEC-TIER-TARGET", table("[§{from: 0%, to: 99.6%, credit: 10%}]")),
    ("W-SPEC-TIER-TARGET", table("[§{from: 0%, to: 99.6%, credit: 10%}]", "gap_policy: readings")),
    ("E-SPEC-TIER-OVERLAP", table("[{from: 98%, to: 99.5%, credit: 10%}, §{from: 0%, to: 99%, credit: 25%}]")),
    (
        "W-SPEC-TIER-OVERLAP",
        table("[{from: 98%, to: 99.5%, credit: 10%}, §{from: 0%, to: 99%, credit: 25%}]", PRINTED),
    ),
    ("E-SPEC-TIER-ORDER", table("[{from: 99%, to: 99.5%, credit: 10%}, {from: 0%, to: 99%, credit: §5%}]")),
    ("E-SPEC-TIER-ORDER", table("[{from: 0%, to: 99.5%, credit: 10%}, §{from: 99%, to: 95%, credit: 5%}]")),
    ("E-SPEC-UNIT", table("[§{from: 2s, to: 9s, credit: 10%}]")),
    ("E-SPEC-STRICT", paying("x").replace("remedy: x", "§remedy: {kind: step_table, gap_policy: refuse, rows: " + WHOLE + "}")),
    ("E-SPEC-SCHEMA", paying("{kind: §lottery}")),
    ("E-SPEC-SCHEMA", paying("{credit: 10%}").replace("remedy: {", "§remedy: {")),
    ("E-SPEC-FEE", paying("{kind: flat}").replace("remedy: {", "§remedy: {")),
    ("E-SPEC-FEE", paying("{kind: points, points: §5}")),
    (
        "E-SPEC-FEE",
        paying("{kind: flat, credit: 10%}").replace("fee: 12000.00 EUR\n", "").replace("    remedy", "    §remedy"),
    ),
    ("E-SPEC-FEE", short("fee: 12000.00 EUR", "fee: {amount: 12000.00 EUR, per: month, base: §service}")),
    ("E-SPEC-FEE", short("fee: 12000.00 EUR", "fee: {amount: 12000.00 EUR, per: month, §amounts: {chat: 1.00 EUR}}")),
    (
        "E-SPEC-FEE",
        short(
            "fee: 12000.00 EUR",
            "fee: {amount: 9.00 EUR, per: month, base: service, §amounts: {a: 2.00 EUR}}\nservices: [{id: a}, {id: b}]",
        ).replace("    credits:", "    service: b\n    credits:"),
    ),
    ("E-SPEC-REF", short("fee: 12000.00 EUR", f"fee: {OF_FEE}")),
    (
        "W-SPEC-FEE",
        short(
            "fee: 12000.00 EUR",
            "fee: {amount: 1.00 EUR, per: month, base: service, §amounts: {chat: 2.00 EUR}}\nservices: [{id: chat}]",
        ),
    ),
    ("W-SPEC-FEE", paying(POOL.replace("share: 40%", "share: 60%")) + AGAIN),
    ("E-SPEC-CURRENCY", paying("{kind: flat, amount: §9.00 USD}")),
    ("E-SPEC-DUP", short("    credits", "    §remedy: {kind: flat, credit: 5%}\n    credits")),
    ("E-SPEC-DUP", paying("{kind: elect, options: [{kind: flat, credit: 5%}, §{kind: flat, credit: 6%}]}")),
    ("E-SPEC-UNIT", paying("{kind: per_step, of: downtime, step: §0.1%, amount: 1.00 EUR, partial: floor}")),
    ("E-SPEC-UNIT", paying("{kind: per_step, of: shortfall, step: §1h, amount: 1.00 EUR, partial: floor}")),
    ("E-SPEC-UNIT", paying("{kind: pro_rata, times: §10}")),
    ("E-SPEC-TIER-TARGET", paying(DAILY + "{below: §99.9%, times: 1x}]}")),
    (
        "E-SPEC-TIER-ORDER",
        paying(DAILY + "{below: 99.5%, times: 3x}, {below: 99%, times: §1x}]}"),
    ),
    ("E-SPEC-TIER-ORDER", paying(DAILY + "{§above: 99.5%, times: 3x}]}")),
    ("E-SPEC-TIER-TARGET", paying("{kind: extension, rows: [{below: §99.9%, days: 3}]}")),
    ("E-SPEC-TIER-ORDER", paying("{kind: extension, rows: [{below: 99.5%, days: 3}, {below: 99%, days: §2}]}")),
    ("E-SPEC-SCHEMA", paying("{kind: extension, per: 1h, days: 1}").replace("remedy: {", "§remedy: {")),
    (
        "E-SPEC-SCHEMA",
        paying("{kind: extension, per: 1h, rows: [{below: 99.5%, days: 3}]}").replace("remedy: {", "§remedy: {"),
    ),
    (
        "E-SPEC-UNMEASURABLE",
        paying("{kind: §pro_rata, times: 1x}")
        .replace("uptime/mean-of-5-minutes@1", FAILED)
        .replace("at_least: 99.5%", "at_most: 1%"),
    ),
    ("E-SPEC-CHRONIC", often("§when: {objective: uptime, bad: 3}}")),
    ("E-SPEC-CHRONIC", often("when: {objective: uptime, consecutive: 2}, refund: §prepaid_pro_rata}")),
    ("E-SPEC-REF", often("when: {objective: §upkeep, consecutive: 2}}")),
    ("E-SPEC-STRICT", often("when: {objective: uptime, §more_than: 95%}}")),
    ("E-SPEC-REF", earning("{objective: §upkeep, above: 99.9%, over: year, average: of_periods}")),
    ("E-SPEC-STRICT", earning("{objective: uptime, §below: 99.9%, over: year, average: of_periods}")),
    (
        "E-SPEC-TIER-ORDER",
        paying("{kind: points, points: 5}", POINTS),
    ),
    (
        "W-SPEC-IDLE",
        short("objectives:\n", "§points_table: {average_with_previous: 0, rows: [{from: 5, credit: 5%}]}\nobjectives:\n"),
    ),
]  # fmt: skip
CASES = [
    # notation
    ("E-SPEC-SYNTAX", short("vendor: Acme AI", "vendor: Acme§: AI")),
    ("E-SPEC-SYNTAX", short("vendor: Acme AI", "vendor: Acme§\x07 AI")),
    ("E-SPEC-SYNTAX", short("vendor: Acme AI", "vendor:§\tAcme AI")),
    ("E-SPEC-SYNTAX", short("vendor: Acme AI", 'vendor: §"Acme\\0 AI"')),
    ("E-SPEC-SYNTAX", SHORT + "§---\nkind: Agreement\n"),
    ("E-SPEC-SYNTAX", "§"),
    ("E-SPEC-SYNTAX", "§# only a comment\n"),
    ("E-SPEC-DEPTH", SHORT + "tags: " + "[" * 19 + "§[" + "]" * 20),
    ("E-SPEC-ALIAS", short("vendor: Acme AI", "vendor: §&v Acme AI")),
    ("E-SPEC-ALIAS", short("customer: Example Bank AG", "customer: §*v")),
    ("E-SPEC-TAG", short("version: 1", "version: §!!int 1")),
    ("E-SPEC-TAG", short("period: month", "period: §!month month")),
    ("E-SPEC-DUP", short("version: 1\n", "version: 1\n§version: 2\n")),
    ("E-SPEC-DUP", short("      below 99.0%: 25%", "      §below 99.5%: 25%")),
    ("E-SPEC-SCHEMA", "§- a list\n"),
    ("E-SPEC-SCHEMA", short("version: 1\n", "version: 1\n§owner:\n")),
    ("E-SPEC-SCHEMA", short("version: 1\n", 'version: 1\n§"": x\n')),
    ("E-SPEC-SCHEMA", short("version: 1\n", "version: 1\n? §[a, b]\n: c\n")),
    # schema
    ("E-SPEC-SCHEMA", short("customer: Example", "§custmer: Example")),
    ("E-SPEC-SCHEMA", short("customer: Example Bank AG\n", "").replace("apiVersion", "§apiVersion")),
    ("E-SPEC-SCHEMA", short("kind: Agreement", "kind: §Agrement")),
    ("E-SPEC-SCHEMA", short("apiVersion: slaguard/v1", "apiVersion: §slaguard/v2")),
    ("E-SPEC-SCHEMA", short("customer: Example Bank AG", "§customer: {name: Example Bank AG}")),
    ("E-SPEC-SCHEMA", short("    clause: Exhibit B 2.1\n", "    clause: Exhibit B 2.1\n    §fee: 1.00 EUR\n")),
    ("E-SPEC-SCHEMA", short("period: month\n", "period: month\n§indicator: {rule: ratio}\n")),
    ("E-SPEC-SCHEMA", SHORT.partition("objectives:")[0] + "objectives: §none\n"),
    ("E-SPEC-SCHEMA", short("      below 99.5%: 10%", "      §beneath 99.5%: 10%")),
    ("E-SPEC-SCHEMA", full("eligible: {stream:", "eligible: {§streem:")),
    ("E-SPEC-SCHEMA", full("eligible: {stream: true", "eligible: {outcome: [ok, §nice]")),
    ("E-SPEC-SCHEMA", full("eligible: {stream: true", "eligible: {status: §two hundred")),
    ("E-SPEC-SCHEMA", full("where: {stream: true}", "where: {stream: §maybe}")),
    ("E-SPEC-SCHEMA", full("remedy: {kind: none}", "§remedy: {kind: step_table}")),
    ("E-SPEC-SCHEMA", full("of: failures", "of: §failure")),
    ("E-SPEC-SCHEMA", full("  - {id: search}", "  - {id: search, §modelz: x}")),
    ("E-SPEC-SCHEMA", short("claim/written@1: {days: 30}", "claim/written@1: {days: 30, §day: 3}")),
    ("E-SPEC-SCHEMA", short("claim/written@1: {days: 30}", "§claim/written@1")),
    ("E-SPEC-SCHEMA", short("claim/written@1: {days: 30}", "claim/written@1: §30")),
    ("E-SPEC-NAME", short("name: acme-chat", "name: §Acme Chat")),
    ("E-SPEC-NAME", short("- name: uptime", "- name: §../../x")),
    ("E-SPEC-SECRET", short("clause: Exhibit B 2.1", "clause: §https://api.acme.example/v1")),
    ("E-SPEC-SECRET", short("contract: C-2031", "contract: §sk-abcdefghijklmnop0123456789")),
    ("E-SPEC-SECRET", short("contract: C-2031", "contract: §0123456789abcdef0123456789abcdef")),
    ("E-SPEC-TAG", f"§%TAG ! tag:x,2000:\n---\n{SHORT}"),
    ("E-SPEC-SCHEMA", full("indicator: {rule: ratio", "indicator: {§rle: ratio")),
    ("E-SPEC-SCHEMA", full("{after: 60s, as: fail}", "{§aftr: 60s, as: fail}")),
    ("E-SPEC-OUTCOME", full("timeout: {after: 60s, as: fail}", "§timeout: {60s: fail}")),
    ("E-SPEC-SCHEMA", SHORT.partition("objectives:")[0] + "objectives:\n  - §just words\n"),
    ("E-SPEC-SCHEMA", short("objectives:", "claim: {deadlines: §soon}\nobjectives:")),
    ("E-SPEC-SCHEMA", short("objectives:", "claim: §soon\nobjectives:")),
    ("E-SPEC-SCHEMA", SHORT + ACCURACY.replace("golden_set: claims-qa@4", "§golden_set: [claims-qa@4]")),
    ("E-SPEC-SCHEMA", short("{days: 30}", "{days: §[30]}")),
    ("E-SPEC-OUTCOME", short("    at_least", "    outcomes: §fail\n    at_least")),
    # references
    ("E-SPEC-REF", short("outcomes/server-faults@1", "§vendors/acme@2026-06-30")),
    ("E-SPEC-REF", short("outcomes/server-faults@1", "§outcomes/server-fault@1")),
    ("E-SPEC-REF", short("outcomes/server-faults@1", "§outcomes/server-faults@2")),
    ("E-SPEC-REF", short("outcomes/server-faults@1", "§outcomes/server-faults")),
    ("E-SPEC-REF", short("    use: uptime/mean", "    use: §../uptime/mean")),
    ("E-SPEC-REF", full("service: chat", "service: §chatt")),
    ("E-SPEC-DUP", short(OUTCOMES, f"{OUTCOMES}  - §outcomes/only-500@1\n")),
    ("E-SPEC-DUP", full("- name: speed", "- name: §uptime")),
    ("E-SPEC-DUP", full("  - {id: search}", "  - {id: §chat}")),
    ("E-SPEC-DUP", full("- id: grounding", "- id: §maintenance")),
    ("E-SPEC-DUP", full("    credits: {above 1%", "    §remedy: {kind: none}\n    credits: {above 1%")),
    # units and bounds
    ("E-SPEC-UNIT", short("at_least: 99.5%", "at_least: §99.5")),
    ("E-SPEC-UNIT", short("at_least: 99.5%", "at_least: §99")),
    ("E-SPEC-UNIT", short("at_least: 99.5%", "at_least: §99.5 %")),
    ("E-SPEC-UNIT", short("at_least: 99.5%", "at_least: §.nan")),
    ("E-SPEC-UNIT", short("at_least: 99.5%", "at_least: §1e999")),
    ("E-SPEC-UNIT", short("at_least: 99.5%", "at_least: §150%")),
    ("E-SPEC-UNIT", short("at_least: 99.5%", "at_least: §2s")),
    ("E-SPEC-UNIT", short("below 99.0%: 25%", "below 99.0%: §25")),
    ("E-SPEC-UNIT", short("below 99.0%: 25%", "§below 99.0: 25%")),
    ("E-SPEC-UNIT", full("credits: {above 2s: 5%}", "credits: {§above 2%: 5%}")),
    ("E-SPEC-UNIT", full("at_most: 2s", "at_most: §2%")),
    ("E-SPEC-UNIT", full("at_most: 2s", "at_most: §0s")),
    ("E-SPEC-UNIT", full("p: 95%", "p: §100%")),
    ("E-SPEC-UNIT", full("within: {at_most: 10s}", "within: {at_most: §10%}")),
    ("E-SPEC-UNIT", full("error_rate: {more_than: 5%}", "error_rate: {more_than: §5s}")),
    ("E-SPEC-UNIT", full("eligible: {stream: true", "eligible: {§stream: {more_than: 5}")),
    ("E-SPEC-UNIT", full("{at_most: 200000}", "{at_most: 5%}").replace(", input_tokens", ", §input_tokens")),
    ("E-SPEC-UNIT", full("eligible: {stream: true", "eligible: {§total_time: 5")),
    ("E-SPEC-UNIT", short("fee: 12000.00 EUR", "fee: §12000")),
    ("E-SPEC-UNIT", short("{days: 30}", "{days: §30d}")),
    ("E-SPEC-UNIT", full("min_coverage: 95%", "min_coverage: §195%")),
    ("E-SPEC-UNIT", full("notice: 72h", "notice: §three days")),
    ("E-SPEC-UNIT", full("run: 5", "run: §0")),
    ("E-SPEC-STRICT", short("    at_least: 99.5%\n", "").replace("- name", "- §name")),
    ("E-SPEC-STRICT", short("    at_least: 99.5%\n", "    at_least: 99.5%\n    §more_than: 99.5%\n")),
    ("E-SPEC-STRICT", short("    at_least: 99.5%", "    §at_most: 99.5%")),
    ("E-SPEC-STRICT", full("    at_most: 2s", "    §at_least: 2s")),
    ("E-SPEC-STRICT", full("error_rate: {more_than: 5%}", "error_rate: {§less_than: 5%}")),
    ("E-SPEC-STRICT", full("error_rate: {more_than: 5%}", "§error_rate: {more_than: 5%, at_least: 5%}")),
    ("E-SPEC-STRICT", full("error_rate: {more_than: 5%}", "§error_rate: {}")),
    # what is measured, and how
    ("E-SPEC-UNMEASURABLE", short("    use: uptime/mean-of-5-minutes@1\n", "").replace("- name", "- §name")),
    ("E-SPEC-UNMEASURABLE", short("at_least: 99.5%", "at_least: §reasonable")),
    ("E-SPEC-UNMEASURABLE", full("indicator: {rule: ratio, of", "§indicator: {of")),
    ("E-SPEC-UNMEASURABLE", full("source: [traffic, probe]\n", "").replace("- name: uptime", "- §name: uptime")),
    ("E-SPEC-OUTCOME", short(OUTCOMES, "").replace("use:", "§use:", 1)),
    ("E-SPEC-OUTCOME", full("  rate_limited: ok\n", "").replace("\noutcomes:", "\n§outcomes:")),
    ("E-SPEC-OUTCOME", full("  rate_limited: ok\n", "  rate_limited: ok\n  §ok: ok\n")),
    ("E-SPEC-OUTCOME", full("  rate_limited: ok\n", "  rate_limited: §good\n")),
    ("E-SPEC-OUTCOME", full("  rate_limited: ok\n", "  rate_limited: ok\n  §unmeasured: drop\n")),
    ("E-SPEC-EMPTY", full("      empty_bin: breaks_run\n", "").replace("    indicator", "    §indicator", 1)),
    ("E-SPEC-EMPTY", full("empty_bin: breaks_run", "empty_bin: §up")),
    ("E-SPEC-PERIOD", short("period: month", "period: §30d")),
    ("E-SPEC-PERIOD", short("period: month\n", "").replace("apiVersion", "§apiVersion")),
    ("E-SPEC-PERIOD", short("Europe/Berlin", "§Europe/Berlinn")),
    ("E-SPEC-BIN", full("bin: 1m", "bin: §7m")),
    ("E-SPEC-BIN", full("bin: 1m", "bin: §0m")),
    ("E-SPEC-BIN", full("bin: 1m", "bin: §1h")),
    ("E-SPEC-QUALITY", full("id: claims-qa@4", "id: §claims-qb@4")),
    ("E-SPEC-QUALITY", SHORT + ACCURACY.replace("    golden_set: claims-qa@4\n", "").replace("- name", "- §name")),
    ("E-SPEC-QUALITY", full("sha256: ca01b0", "sha256: §da01b0")),
    ("E-SPEC-QUALITY", full("alpha: 5%, min_n: 1}", "alpha: 5%}").replace("\ndecision", "\n§decision")),
    (
        "E-SPEC-QUALITY",
        full("decision: {estimand: realised, rule: point, alpha: 5%, min_n: 1}\n", "").replace(
            "- name: uptime", "- §name: uptime"
        ),
    ),
    (
        "E-SPEC-QUALITY",
        full(
            "    use: hallucination/human-audited-sample@1\n",
            "    use: hallucination/human-audited-sample@1\n    decision: {alpha: §60%}\n",
        ),
    ),
    (
        "E-SPEC-QUALITY",
        full("use: hallucination/human-audited-sample@1", "use: {hallucination/human-audited-sample@1: {min_n: §0}}"),
    ),
    (
        "E-SPEC-QUALITY",
        full(
            "    use: accuracy/agreed-questions@1\n",
            "    use: accuracy/agreed-questions@1\n    decision: {rule: §lower_bound}\n",
        ),
    ),
    (
        "E-SPEC-QUALITY",
        full(
            "    use: accuracy/agreed-questions@1\n",
            "    use: accuracy/agreed-questions@1\n    indicator: {§grades: {correct: fail}}\n",
        ),
    ),
    (
        "E-SPEC-QUALITY",
        short("    use: uptime/mean-of-5-minutes@1\n", "    use: uptime/mean-of-5-minutes@1\n    §golden_set: claims-qa@4\n"),
    ),
    ("E-SPEC-QUALITY", SHORT + ACCURACY.replace("claims-qa@4", "§claims")),
    (
        "E-SPEC-UNPINNED",
        (short("version: 1\n", "version: 1\nstatus: signed\n") + ACCURACY).replace("golden_set: ", "golden_set: §"),
    ),
    ("E-SPEC-TARGET-100", full("at_most: 2%", "at_most: §0%")),
    ("E-SPEC-TARGET-100", short("    at_least: 99.5%", "    more_than: §100%").replace("99.5%: 10%", "100%: 10%")),
    ("E-SPEC-READING", SHORT + "    readings:\n      - {id: A, set: {§period: quarter}}\n      - {id: B}\n"),
    ("E-SPEC-READING", SHORT + "    readings:\n      - {id: A, set: {§at_least: 99.9%}}\n      - {id: B}\n"),
    ("E-SPEC-READING", SHORT + "    readings:\n      - {id: A, unset: §[eligible]}\n      - {id: B}\n"),
    ("E-SPEC-READINGS", SHORT + "    §readings:\n      - {id: A, set: {indicator.bin: 1m}}\n"),
    ("E-SPEC-READINGS", SHORT + "    §readings: [{id: A}, {id: B}]\n"),
    ("W-SPEC-READINGS", SHORT + "    readings: [{id: A}, {id: B, set: {indicator.bin: 1m}}]\n    settled: §{reading: A}\n"),
    ("E-SPEC-EXCL", SHORT + EXCLUDED.format("§recurring: {rrule: FREQ=HOURLY, start: 2026-08-04T02:00, length: 1h}")),
    ("E-SPEC-EXCL", full("    asserted_by: vendor\n", "").replace("  - id: maintenance", "  - §id: maintenance")),
    ("E-SPEC-EXCL", full("    proof: [announcement]\n", "").replace("  - id: maintenance", "  - §id: maintenance")),
    ("E-SPEC-EXCL", full("    notice: 72h\n", "").replace("  - id: maintenance", "  - §id: maintenance")),
    (
        "E-SPEC-EXCL",
        full("    effect: drop_records", "    effect: count_as_up").replace("  - id: grounding", "  - §id: grounding"),
    ),
    (
        "E-SPEC-EXCL",
        full("    effect: drop_records", "    effect: drop_records\n    cap: 4h").replace(
            "  - id: grounding", "  - §id: grounding"
        ),
    ),
    # money and dates
    ("E-SPEC-TIER-TARGET", short("      below 99.5%: 10%", "      §below 99.9%: 10%")),
    (
        "E-SPEC-TIER-ORDER",
        full("      below 99.0%: 25%\n      below 95.0%: 50%\n", "      below 95.0%: 25%\n      §below 99.0%: 50%\n"),
    ),
    ("E-SPEC-TIER-ORDER", short("below 99.0%: 25%", "below 99.0%: §5%")),
    ("E-SPEC-TIER-ORDER", short("      below 99.0%: 25%", "      §above 99.0%: 25%")),
    ("E-SPEC-TIER-OVERLAP", short("      below 99.0%: 25%", "      §below 99.50%: 25%")),
    ("E-SPEC-FEE", short("fee: 12000.00 EUR\n", "").replace("    credits", "    §credits")),
    ("E-SPEC-FEE", full("fee: {amount: 12000.00 USD, per: month", "fee: {amount: 12000.00 USD, per: §year")),
    ("E-SPEC-FEE", full("fee: {amount: 12000.00 USD, per: month,", "§fee: {amount: 12000.00 USD,")),
    (
        "E-SPEC-FEE",
        full("fee: {amount: 12000.00 USD, per: month, minimum_payout: 1.00 USD}\n", "").replace("value: 50%", "value: §50%"),
    ),
    ("E-SPEC-CURRENCY", full("minimum_payout: 1.00 USD", "minimum_payout: §1.00 EUR")),
    ("E-SPEC-CURRENCY", full("caps: [{value: 50%,", "caps: [{amount: §50.00 EUR,")),
    ("E-SPEC-CAP", full("value: 50%, per: month", "value: 50%, per: §day")),
    *MONEY,
    *VAIN,
    (
        "E-SPEC-CAP",
        full("caps: [{value: 50%, per: month}]", "caps: [{value: 50%, amount: 1.00 USD, per: month}]").replace(
            "[{value", "[§{value"
        ),
    ),
    ("E-SPEC-COMBINE", full("combine: sum_to_cap\n", "").replace("apiVersion", "§apiVersion")),
    ("E-SPEC-ANCHOR", full("anchor: period_end", "anchor: §period_ends")),
    ("E-SPEC-ANCHOR", full("unit: days, anchor: period_end,", "unit: days,").replace("- {type: notify", "- §{type: notify")),
    ("E-SPEC-DATES", short("2026-08-01", "§2026-02-30")),
    ("E-SPEC-DATES", short("2026-08-01", "§1.8.2026")),
    ("E-SPEC-DATES", full("expires: 2028-07-31", "expires: §2026-07-31")),
    ("E-SPEC-DATES", full("expires: 2028-07-31", "expires: §9999-12-31")),
    # warnings
    (
        "W-SPEC-SCALE",
        short("    at_least: 99.5%", "    at_least: §0.999%")
        .replace("below 99.5%", "below 0.999%")
        .replace("below 99.0%", "below 0.9%"),
    ),
    ("W-SPEC-SCALE", full("at_most: 2s\n    credits: {above 2s", "at_most: §2ms\n    credits: {above 2ms")),
    ("W-SPEC-SCALE", full("p: 95%", "p: §5%")),
    ("W-SPEC-IDLE", short("period: month\n", "period: month\n§min_coverage: 10%\n")),
    ("W-SPEC-UNPINNED", (SHORT + ACCURACY).replace("golden_set: ", "golden_set: §")),
    ("W-SPEC-TARGET-100", short("    at_least: 99.5%", "    at_least: §100%").replace("below 99.5%", "below 100%")),
    (
        "W-SPEC-NMIN",
        full(
            "    use: hallucination/human-audited-sample@1\n",
            "    use: {hallucination/human-audited-sample@1: {min_n: §148}}\n",
        ),
    ),
    (
        "W-SPEC-PAIR",
        full("use: errors/share-refused@1", "use: errors/share-failed@1").replace(
            "- name: hallucination", "- name: §hallucination"
        ),
    ),
    (
        "W-SPEC-PROBE",
        short("    use: uptime/mean-of-5-minutes@1\n", "    use: uptime/mean-of-5-minutes@1\n    source: §probe\n"),
    ),
    ("W-SPEC-BIN-RESOLUTION", full("min_requests: 20", "min_requests: §19")),
    ("W-SPEC-NO-EFFECT", full("      run: 5\n", "      run: 5\n      outage_rounding: §up\n")),
    ("W-SPEC-CAP-BELOW-TIER", full("caps: [{value: 50%", "caps: [{value: §49%")),
    ("W-SPEC-CAP-BELOW-TIER", full("caps: [{value: 50%", "caps: [{amount: §5999.99 USD")),
    ("W-SPEC-CAP-BELOW-TIER", full("minimum_payout: 1.00 USD", "minimum_payout: §600.00 USD")),
    ("W-SPEC-COMBINE", full("    remedy: {kind: none}\n", "").replace("- name: interval-uptime", "- name: §interval-uptime")),
    (
        "W-SPEC-EXCL-SWALLOW",
        full("    cap: {per: month, length: 4h}\n", "").replace("  - id: maintenance", "  - id: §maintenance"),
    ),
    (
        "W-SPEC-ROLLING",
        short("period: month\nfee: 12000.00 EUR\n", "period: {rolling: §30d, ends: day}\n").replace(
            SHORT[SHORT.index("    credits:") :], "    remedy: {kind: none}\n"
        ),
    ),
    ("W-SPEC-DEADLINE-DELAY", short("claim/written@1: {days: 30}", "claim/written@1: {days: §2}")),
]


def marked(text: str) -> tuple[str, int, int]:
    before = text.partition(MARK)[0]
    return text.replace(MARK, "", 1), before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


@pytest.mark.parametrize(("code", "text"), [pytest.param(c, t, id=f"{c}-{i}") for i, (c, t) in enumerate(CASES)])
def test_a_fault_is_told_under_its_code_at_its_line_and_column(code: str, text: str) -> None:
    clean, line, column = marked(text)
    told = [(p.code, p.place.line, p.place.column) for p in found(clean)]
    assert (code, line, column) in told


@pytest.mark.parametrize(("code", "text"), [pytest.param(c, t, id=f"{c}-{i}") for i, (c, t) in enumerate(CASES)])
def test_one_fault_is_told_once(code: str, text: str) -> None:
    errors = [p for p in found(marked(text)[0]) if p.is_error]
    if code.startswith("W-"):
        assert errors == []
    else:
        assert len(errors) <= 2, errors


def test_every_code_is_earned_by_some_case() -> None:
    earned = {code for code, _ in CASES}
    elsewhere = {"E-SPEC-FILE", "W-SPEC-PRESET"}  # told of files, of profiles, and by an evaluation
    assert set(CODES) - earned == elsewhere


def test_a_missing_file_is_told_under_the_file_code(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refused:
        read_text(tmp_path / "absent.yaml")
    assert [p.code for p in refused.value.problems] == ["E-SPEC-FILE"]


def test_every_code_in_the_sources_is_on_the_list(repo: Path) -> None:
    used = {
        code
        for path in (repo / "slaguard").rglob("*.py")
        for code in re.findall(r"\b[EW]-SPEC-[A-Z0-9-]*[A-Z0-9]\b", path.read_text(encoding="utf-8"))
    }
    assert used <= {*CODES, "E-SPEC-TIER"}  # E-SPEC-TIER-* in a docstring


def test_every_code_has_a_heading_in_the_docs_and_every_heading_is_a_code(repo: Path) -> None:
    page = (repo / "docs" / "errors.md").read_text(encoding="utf-8")
    assert re.findall(r"^## ([EW]-SPEC-\S+)$", page, re.MULTILINE) == list(CODES)


def test_the_most_severe_stands_first_and_nothing_stands_twice() -> None:
    late, early = Place("a", 9, 1), Place("a", 1, 1)
    problems = [Problem(code, place, "", "", "") for code in ("W-SPEC-SCALE", "E-SPEC-DUP") for place in (late, early, late)]
    told = [(p.code, p.place.line) for p in ordered(problems)]
    assert told == [("E-SPEC-DUP", 1), ("E-SPEC-DUP", 9), ("W-SPEC-SCALE", 1), ("W-SPEC-SCALE", 9)]


def test_every_error_ranks_before_every_warning() -> None:
    assert max(r for c, r in SEVERITY.items() if c.startswith("E-")) < min(r for c, r in SEVERITY.items() if c.startswith("W-"))
