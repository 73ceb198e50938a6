"""What is submitted is read within bounds, and what cannot be done is refused with its place in the document."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.agents.workflow.checking import check_workflow
from holdfast.agents.workflow.document import load_document, read_workflow
from holdfast.errors import HoldfastError, InvalidFieldError, MalformedRequestError

STEP: dict[str, Any] = {"run": "echo"}


def job(**fields: Any) -> dict[str, Any]:
    return {"jobs": {"a": {"steps": [STEP], **fields}}}


def step(**fields: Any) -> dict[str, Any]:
    return {"jobs": {"a": {"steps": [{**STEP, **fields}]}}}


def uses(name: str, **fields: Any) -> dict[str, Any]:
    return {"jobs": {"a": {"steps": [{"uses": name, **fields}]}}}


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    (
        uses("actions/setup-node@v4"),
        "jobs.a.steps[0].uses",
        "'actions/setup-node@v4' is not supported: nothing is fetched",
    ),
    (uses("actions/checkout"), "jobs.a.steps[0].uses", "'actions/checkout' is not supported"),
    (uses("docker://alpine:3"), "jobs.a.steps[0].uses", "nothing is fetched to be run"),
    (uses("./local"), "jobs.a.steps[0].uses", "nothing is fetched to be run"),
    (
        uses("actions/checkout@v4", **{"with": {"repository": "a/b"}}),
        "jobs.a.steps[0].with.repository",
        "takes no such input",
    ),
    (job(container="node:20"), "jobs.a.container", "not supported: jobs run in a sandbox of their own"),
    (job(services={"db": {}}), "jobs.a.services", "not supported: nothing runs beside a job"),
    (job(uses="./x.yml"), "jobs.a.uses", "reusable workflows are not fetched"),
    (job(secrets="inherit"), "jobs.a.secrets", "it is for reusable workflows"),
    (job(**{"with": {}}), "jobs.a.with", "it is for reusable workflows"),
    (job(environment="production"), "jobs.a.environment", "there are no deployment environments"),
    (job(concurrency="x"), "jobs.a.concurrency", "tasks do not wait for each other"),
    ({**job(), "concurrency": "x"}, "concurrency", "tasks do not wait for each other"),
    (job(**{"runs-on": "macos-latest"}), "jobs.a.runs-on", "every job runs on Linux"),
    (job(stepz=1), "jobs.a.stepz", "there is no such key here"),
    (step(shel="sh"), "jobs.a.steps[0].shel", "there is no such key here"),
    (step(uses="actions/cache@v4"), "jobs.a.steps[0]", "either 'run' or 'uses'"),
    (job(steps=[{}]), "jobs.a.steps[0]", "either 'run' or 'uses'"),
    (job(steps=[]), "jobs.a.steps", "at least 1 item"),
    (step(run=5), "jobs.a.steps[0].run", "must be text"),
    (step(**{"timeout-minutes": []}), "jobs.a.steps[0].timeout-minutes", "must be a number"),
    (step(env={"a-b": 1}), "jobs.a.steps[0].env.a-b", "letters, digits"),
    (step(**{"timeout-minutes": 0}), "jobs.a.steps[0].timeout-minutes", "a number above 0"),
    (step(**{"timeout-minutes": "soon"}), "jobs.a.steps[0].timeout-minutes", "a number above 0"),
    (job(**{"timeout-minutes": float("nan")}), "jobs.a.timeout-minutes", "a number above 0"),
    (step(**{"continue-on-error": "maybe"}), "jobs.a.steps[0].continue-on-error", "must be true, false or an"),
    (step(shell="pwsh"), "jobs.a.steps[0].shell", "'pwsh' is not supported; there are bash, sh"),
    (step(shell="fish"), "jobs.a.steps[0].shell", "'fish' is not supported"),
    (job(defaults={"run": {"shell": "cmd"}}), "jobs.a.defaults.run.shell", "'cmd' is not supported"),
    ({**job(), "defaults": {"run": {"shell": "cmd"}}}, "defaults.run.shell", "'cmd' is not supported"),
    (job(strategy={"fail-fast": "maybe"}), "jobs.a.strategy.fail-fast", "must be true, false or an expression"),
    (job(strategy={"max-parallel": 0}), "jobs.a.strategy.max-parallel", "a number above 0"),
    (job(strategy={"max-parallel": "many"}), "jobs.a.strategy.max-parallel", "a number above 0"),
    (job(strategy={"matrix": "n"}), "jobs.a.strategy.matrix", "must be a mapping"),
    (job(strategy={"matrix": {"n": "1"}}), "jobs.a.strategy.matrix.n", "must be a list"),
    (job(strategy={"matrix": {"n": [*range(257)]}}), "jobs.a.strategy.matrix", "more than 256 jobs"),
    (job(strategy={"matrix": {n: [*range(17)] for n in "ab"}}), "jobs.a.strategy.matrix", "more than 256 jobs"),
    (step(**{"with": {"a": "b"}}), "jobs.a.steps[0]", "'with' is for a step that has 'uses'"),
    (job(strategy={"matrix": {"n": 3}}), "jobs.a.strategy.matrix.n", "must be a list"),
    (job(needs="b"), "jobs.a.needs[0]", "there is no job 'b'"),
    (job(needs=["a"]), "jobs.a.needs", "the jobs need each other: a -> a"),
    (job(steps=[{**STEP, "id": "x"}, {**STEP, "id": "x"}]), "jobs.a.steps[1].id", "another step is called 'x'"),
    (step(**{"if": "github.ref =="}), "jobs.a.steps[0].if", "ends too early"),
    (step(**{"if": "${{ true }} == 'x'"}), "jobs.a.steps[0].if", "a condition is one expression"),
    (step(**{"if": "secrets.X == ''"}), "jobs.a.steps[0].if", "there is no 'secrets' here"),
    (step(run="${{ vars.X }}"), "jobs.a.steps[0].run", "there is no 'vars' here"),
    (step(run="${{ toJSON(secrets) }}"), "jobs.a.steps[0].run", "write secrets.NAME"),
    (step(run="${{ case(true, 1) }}"), "jobs.a.steps[0].run", "there is no function 'case' here"),
    (step(run="${{ success() }}"), "jobs.a.steps[0].run", "there is no function 'success' here"),
    (step(run="${{ 1"), "jobs.a.steps[0].run", "is not closed"),
    (job(**{"if": "matrix.n"}), "jobs.a.if", "there is no 'matrix' here"),
    (job(env={"A": "${{ steps.x }}"}), "jobs.a.env.A", "there is no 'steps' here"),
    ({"steps": [{"type": "action", "uses": "x"}]}, "steps[0].type", ""),
    ({"steps": [{"type": "run"}]}, "steps[0]", "needs 'run'"),
    ({"steps": []}, "", "'steps' is empty"),
    ({**job(), "steps": [STEP]}, "", "either 'jobs' or 'steps'"),
    ({"jobs": {"a b": {"steps": [STEP]}}}, "jobs.a b", "letters, digits"),
]


@pytest.mark.parametrize(
    ("document", "path", "reason"), REFUSED, ids=[f"{path} {n}" for n, (_, path, _) in enumerate(REFUSED)]
)
def test_what_is_not_supported_is_refused_with_its_path(document: dict[str, Any], path: str, reason: str) -> None:
    with pytest.raises(InvalidFieldError) as raised:
        check_workflow(read_workflow(document))
    assert (raised.value.field or "") == path and reason in raised.value.detail
    assert path in raised.value.detail


@pytest.mark.parametrize("version", ["v1", "v3", "v4", "v4.2.2", "main", "11bd71901bbe5b1630ceea73d27597364c9af683"])
@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("checkout", {}),
        ("upload-artifact", {"path": "a"}),
        ("download-artifact", {}),
        ("cache", {"path": "a", "key": "k"}),
    ],
)
def test_the_actions_that_are_built_in_are_taken_at_any_version(
    name: str, inputs: dict[str, str], version: str
) -> None:
    workflow = read_workflow(uses(f"actions/{name}@{version}", **{"with": inputs}))
    check_workflow(workflow)
    assert workflow.jobs["a"].steps[0].action == name


def test_a_circle_of_needs_is_refused() -> None:
    jobs = {name: {"needs": needed, "steps": [STEP]} for name, needed in (("a", "c"), ("b", "a"), ("c", "b"))}
    with pytest.raises(InvalidFieldError, match="the jobs need each other"):
        check_workflow(read_workflow({"jobs": jobs}))


BOMBS = [
    ("[" * 5_000, "nested more than 40 deep"),
    ("a: " + "{a: " * 50 + "1" + "}" * 50, "nested more than 40 deep"),
    (
        "x: &x [a, a]\n"
        + "\n".join(f"x{n}: &x{n} [*x{n - 1 if n else ''}, *x{n - 1 if n else ''}]" for n in range(24)),
        "50,000",
    ),
    ("a: &a [*a]", "an alias stands inside of what it means"),
    ("a: " + "x" * 600_000, "larger than"),
    ("a: 1\nb: 2\na: 3", "the key 'a' stands here twice"),
    ("a: !!python/object/apply:os.system [id]", "could not determine a constructor"),
    ("a: !!python/name:os.system", "could not determine a constructor"),
    ("a: b: c", "line 1"),
    ("- 1", "The task must be a mapping, with 'messages' of an agent, or 'jobs' or 'steps' of a workflow."),
    ("text", "must be a mapping"),
    ("", "is empty"),
    ("? [a]\n: 1", "a key must be a plain word"),
    ("a: [", "The task is neither YAML nor JSON: line 1"),
    ("a: \x01", "neither YAML nor JSON"),
]


@pytest.mark.parametrize(("text", "reason"), BOMBS, ids=[str(n) for n in range(len(BOMBS))])
def test_a_document_that_is_none_or_a_bomb_is_refused(text: str, reason: str) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        load_document(text)
    assert reason in raised.value.detail


def test_words_of_yaml_stay_words() -> None:
    text = "on: push\nyes: no\nday: 2026-01-02\ntime: 12:30\noctal: 010\nversion: 3.10\nnothing: ~\nempty:\nhex: 0x10"
    assert load_document(text) == {
        **{"on": "push", "yes": "no", "day": "2026-01-02", "time": "12:30", "octal": 10, "version": 3.1},
        **{"nothing": None, "empty": None, "hex": 16},
    }


def test_json_is_read_too() -> None:
    assert load_document('{"steps": [{"run": "echo", "timeout-minutes": 1.5}], "on": true}') == {
        "steps": [{"run": "echo", "timeout-minutes": 1.5}],
        "on": True,
    }


@settings(deadline=None)
@given(st.text(alphabet="a:-[]{}&*!? \n\"'#|>0.~", max_size=60))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        document = load_document(text)
    except HoldfastError:
        return
    assert isinstance(document, dict)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["${{", "${{ a }}", "echo"]),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(["run", "uses", "if", "env", "with", "steps", "strategy", "matrix"]), below, max_size=4
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["name", "on", "env", "jobs", "steps", "defaults"]), values, max_size=4))
def test_no_document_does_more_than_be_refused(document: dict[str, Any]) -> None:
    try:
        check_workflow(read_workflow(document))
    except HoldfastError as error:
        assert error.http_status == 422
