"""What is refused deep inside a term is refused with a word and a place, never in silence."""

import pytest

from tests.spec.documents import SHORT, found
from tests.spec.test_codes import often, paying, short


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(paying("{kind: elect, options: [{kind: flat, credit: 5%}]}"), id="a choice of one"),
        pytest.param(paying("{kind: elect, options: []}"), id="a choice of none"),
        pytest.param(paying("{kind: elect, options: [{kind: flat}, {kind: flat, credit: 5%}]}"), id="an option without a sum"),
        pytest.param(paying("{kind: elect, options: [{kind: elect}, {kind: flat, credit: 5%}]}"), id="a choice in a choice"),
        pytest.param(paying("{kind: elect, options: [{credit: 5%}, {kind: flat, credit: 5%}]}"), id="an option without a kind"),
        pytest.param(paying("{kind: elect, options: flat}"), id="options that are no list"),
        pytest.param(paying("{kind: elect}"), id="a choice without options"),
        pytest.param(paying("{kind: step_table, edges: from_inclusive, gap_policy: refuse, rows: []}"), id="no row"),
        pytest.param(paying("[]"), id="a remedy that is a list"),
        pytest.param(often("when: {objective: [], bad: 3, of: 12}}"), id="a right of no promise"),
        pytest.param(often("when: {}}"), id="a right that never arises"),
        pytest.param(often("when: [{objective: uptime}]}"), id="a right that arises from a list"),
        pytest.param(SHORT + "    readings: [[]]\n", id="a list of readings that is empty"),
        pytest.param(SHORT + "    readings: [{id: one, set: uptime}, {id: two}]\n", id="a reading that sets no path"),
        pytest.param(SHORT + "    readings: [[{id: one}, {id: two, set: []}], {}]\n", id="readings without a name"),
        pytest.param(
            short("objectives:\n", "points_table: {rows: [], average_with_previous: 0}\nobjectives:\n"), id="no points"
        ),
    ],
)
def test_what_is_refused_is_refused_with_a_word_and_a_place(text: str) -> None:
    told = [problem for problem in found(text) if problem.is_error]
    assert told
    assert all(problem.mend and problem.text for problem in told)


def test_a_choice_of_one_is_told_at_its_options() -> None:
    (problem,) = found(paying("{kind: elect, options: [{kind: flat, credit: 5%}]}"))
    assert (problem.path, problem.mend) == ("objectives[0].remedy.options", "write at least 2 entries")
