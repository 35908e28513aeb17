"""Rules over intervals that are well-formed and still wrong: each told at its place, and the sound ones not at all."""

from __future__ import annotations

import pytest

from slaguard.spec.load import expand
from slaguard.spec.model import DualThreshold
from tests.spec.documents import SHORT, found, load_text

MARK = "§"
HEAD, _, _ = SHORT.partition("    use: uptime")
RUNS = (
    "rule: error_rate_runs, bin: 1m, error_rate: {more_than: 5%}, run: 5, min_requests: 20, below_minimum: up, "
    "empty_bin: breaks_run, cross_period: attribute_minutes"
)
MEAN = "rule: mean_of_intervals, bin: 5m, min_requests: 1, below_minimum: up, empty_bin: up"
DUAL = (
    "rule: dual_threshold, bin: 1m, tests: [{error_rate: {at_most: 1%}, share: {at_least: 99.9%}}, "
    "{error_rate: {at_most: 10%}, share: {at_least: 99.99%}}], empty_bin: good, priced_by: worst, min_requests: 100, "
    "below_minimum: up"
)
REST = "    source: traffic\n    min_coverage: 95%\n    decision: {estimand: realised, rule: point, alpha: 5%, min_n: 1}\n"
PAYS = "    credits: {below 99.99%: 10%, below 99.0%: 25%}\n"


def written(rule: str, bound: str = "    at_least: 99.5%\n", pays: str = "    remedy: {kind: none}\n") -> str:
    """Return a document with one promise of this rule."""
    return f"{HEAD}    indicator: {{{rule}}}\n{bound}{REST}{pays}"


def changed(rule: str, old: str, new: str) -> str:
    assert old in rule, old
    return rule.replace(old, new, 1)


SOUND = {
    "period start": written(f"{MEAN.replace('5m', '7m')}, align: period_start"),
    "split": written(changed(RUNS, "attribute_minutes", "split").replace("bin: 1m", "bin: 4h") + ", align: period_start"),
    "rounding": written(f"{RUNS.replace('bin: 1m', 'bin: 30s')}, outage_rounding: down"),
    "slow": written(f"{RUNS}, slow: {{field: total_time, more_than: 10s, counts: on_its_own}}"),
    "presence": written(f"{RUNS}, presence: {{from: first_request, to: period_end}}"),
    "resources": written(f"{MEAN}, resources: {{by: [region, attributes.zone], down_when: mean}}"),
    "dual": written(DUAL, "", PAYS),
    "dual by the first": written(DUAL.replace("worst", "first"), "", "    credits: {below 99.9%: 10%}\n"),
}
WRONG = {
    "a length that fits no clock": ("E-SPEC-BIN", written(changed(RUNS, "1m", "§7m"))),
    "a length over a day": ("E-SPEC-BIN", written(f"{MEAN.replace('5m', '§25h')}, align: period_start")),
    "a run over an edge that intervals do not cross": (
        "E-SPEC-BIN",
        written(changed(RUNS, "attribute_minutes", "§attribute_minutes") + ", align: period_start"),
    ),
    "a word that is no alignment": ("E-SPEC-SCHEMA", written(f"{RUNS}, align: §hour")),
    "slow by a share": ("E-SPEC-UNIT", written(f"{RUNS}, slow: {{field: total_time, more_than: §10%, counts: as_failed}}")),
    "slow below a time": ("E-SPEC-STRICT", written(f"{RUNS}, slow: {{field: total_time, §at_most: 10s, counts: as_failed}}")),
    "a mean without a limit for slow requests": (
        "E-SPEC-UNMEASURABLE",
        written(f"{MEAN}, slow: {{field: total_time, more_than: 10s, counts: §on_its_own}}"),
    ),
    "a field that records do not have": ("E-SPEC-SCHEMA", written(f"{RUNS}, resources: {{§by: [zone], down_when: all}}")),
    "a field that holds no word": ("E-SPEC-SCHEMA", written(f"{RUNS}, resources: {{§by: [status], down_when: all}}")),
    "a mean that is down when all are": ("E-SPEC-SCHEMA", written(f"{MEAN}, resources: {{by: region, down_when: §all}}")),
    "no field": ("E-SPEC-SCHEMA", written(f"{RUNS}, resources: {{§by: [], down_when: all}}")),
    "presence in the whole period": ("E-SPEC-SCHEMA", written(f"{RUNS}, §presence: {{from: period_start, to: period_end}}")),
    "one test": ("E-SPEC-SCHEMA", written(f"{DUAL.partition('tests:')[0]}§tests: [], empty_bin: good, priced_by: worst", "")),
    "a bound beside the tests": ("E-SPEC-STRICT", written(DUAL, "    §at_least: 99.5%\n")),
    "two words": ("E-SPEC-STRICT", written(changed(DUAL, "share: {at_least: 99.99%}", "share: {§more_than: 99.99%}"), "")),
    "a test by good requests": ("E-SPEC-STRICT", written(changed(DUAL, "at_most: 1%", "§at_least: 1%"), "")),
    "a share over one": ("E-SPEC-UNIT", written(changed(DUAL, "at_least: 99.9%", "at_least: §101%"), "")),
    "the same error rate twice": (
        "E-SPEC-DUP",
        written(
            changed(DUAL, "{error_rate: {at_most: 10%}", "{§error_rate: {at_most: 1%}"),
            "",
        ),
    ),
    "more than everything": (
        "E-SPEC-TARGET-100",
        written(DUAL.replace("at_least: 99.9%", "more_than: §100%").replace("at_least: 99.99%", "more_than: 99.99%"), ""),
    ),
    "no minimum without what is below it": (
        "E-SPEC-EMPTY",
        written(f"{DUAL.partition(', min_requests')[0]}, min_requests: 3", "").replace("    indicator", "    §indicator"),
    ),
    "a ladder that begins below the target": ("E-SPEC-TIER-TARGET", written(DUAL, "", "    credits: {§below 99.9%: 10%}\n")),
    "rounding of whole minutes": ("W-SPEC-NO-EFFECT", written(f"{RUNS}, outage_rounding: §up")),
    "everything": ("W-SPEC-TARGET-100", written(changed(DUAL, "at_least: 99.99%", "at_least: §100%"), "")),
    "a slip of the share": ("W-SPEC-SCALE", written(changed(DUAL, "at_least: 99.9%", "at_least: §0.999%"), "")),
    "one failure misses a test": (
        "W-SPEC-BIN-RESOLUTION",
        written(changed(DUAL, "min_requests: 100", "min_requests: §99"), ""),
    ),
}


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_what_is_sound_is_accepted_and_written_out_again_to_the_same_hash(text: str) -> None:
    assert [p for p in found(text) if p.code != "W-SPEC-PROBE"] == []
    loaded = load_text(text)
    assert load_text(expand(loaded.agreement)).spec_sha256 == loaded.spec_sha256


@pytest.mark.parametrize(("code", "text"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_at_its_place(code: str, text: str) -> None:
    before = text.partition(MARK)[0]
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    told = [(p.code, p.place.line, p.place.column) for p in found(text.replace(MARK, "", 1))]
    assert (code, line, column) in told


def test_credits_of_two_tests_begin_at_the_share_that_prices() -> None:
    (objective,) = load_text(SOUND["dual"]).agreement.objectives
    assert isinstance(objective.indicator, DualThreshold)
    assert (str(objective.target), str(objective.priced_from)) == ("0%", "99.99%")
