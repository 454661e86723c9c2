# SPDX-License-Identifier: Apache-2.0
"""The configuration: defaults, and one line for every way of getting it wrong."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_profiling import PACKAGE_DIR
from model_profiling.errors import UserError
from model_profiling.pipeline.calibration import calibration_config
from model_profiling.pipeline.config import Config, load_config, restrict
from model_profiling.pipeline.schedule import plan

TEMPLATE = json.loads((PACKAGE_DIR / "configs/templates/mac_template.json").read_text())


@pytest.fixture
def written(tmp_path: Path):
    """Return a function that writes a changed template and gives its path."""
    (tmp_path / "model.pte").write_bytes(b"x")

    def write(change=lambda config: None) -> Path:
        config = copy.deepcopy(TEMPLATE) | {"model": str(tmp_path / "model.pte"), "output_root": str(tmp_path / "run")}
        change(config)
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        return path

    return write


def test_the_template_with_its_defaults(written) -> None:
    config = load_config(written())
    assert config.pairs == 8
    on, off = config.experiments
    assert (on.name, on.disable_cpu_features, on.traced_runs, on.runner) == ("mac_sme2_on", (), 10, "auto")
    assert (off.name, off.disable_cpu_features) == ("mac_sme2_off", "auto")
    assert config.compare_pairs == (("mac_sme2_off", "mac_sme2_on"),)


def test_a_config_survives_the_manifest(written) -> None:
    config = load_config(written(lambda c: c["experiments"][0].update(cpu_affinity=[0, 1], threads=[1, 2])))
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


SHIPPED = [path for path in sorted((PACKAGE_DIR / "configs").glob("*/*.json")) if not path.name.startswith("sweep_")]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda p: p.name)
def test_every_shipped_config_fits_the_schema(file: Path, written) -> None:
    shipped = json.loads(file.read_text())
    load_config(written(lambda c: c.update({k: v for k, v in shipped.items() if k != "model"})))


def first(config: dict) -> dict:
    return config["experiments"][0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c.update(pair=4), '"pair" is not a key of the config (did you mean pairs?), in '),
        (
            lambda c: first(c).update(thread=[1]),
            '"thread" is not a key of the config (did you mean threads?), in experiments[0] of ',
        ),
        (lambda c: first(c).update(threads=[0]), "0 is not valid, in experiments[0].threads[0] of "),
        (lambda c: first(c).update(threads=2), "2 is not valid, in experiments[0].threads of "),
        (lambda c: c.update(pairs="eight"), '"eight" is not valid, in pairs of '),
        (lambda c: c.update(pairs=True), "true is not valid, in pairs of "),
        (lambda c: first(c).update(mode="timming"), '"timming" is not valid, in experiments[0].mode of '),
        (lambda c: c.pop("model"), 'the key "model" is missing, in '),
        (lambda c: c.update(model="no_such.pte"), 'the model no_such.pte does not exist, in "model" of '),
        (lambda c: c.update(model="."), 'the model . is a folder, in "model" of '),
        (
            lambda c: c["analysis"].update(compare_pairs=[["mac_sme2_of", "mac_sme2_on"]]),
            "mac_sme2_of is not an experiment (did you mean mac_sme2_off?), in analysis.compare_pairs[0] of ",
        ),
        (
            lambda c: c["analysis"].update(compare_pairs=[["mac_sme2_on", "mac_sme2_on"]]),
            "mac_sme2_on is compared with itself",
        ),
        (lambda c: first(c).update(threads=[3]), "mac_sme2_off and mac_sme2_on have no thread count in common"),
        (lambda c: first(c).update(name="mac_sme2_off"), "the experiment name mac_sme2_off stands twice"),
        (lambda c: first(c).update(name="../../etc"), '"../../etc" is not valid, in experiments[0].name of '),
        (lambda c: first(c).update(name="figures"), "figures is a name that the run directory uses itself"),
        (lambda c: c.update(experiments=[]), "[] is not valid, in experiments of "),
    ],
)
def test_each_mistake_is_named(change, said: str, written) -> None:
    with pytest.raises(UserError) as caught:
        load_config(written(change))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "the config is not JSON"),
        (b"", "the config is not JSON"),
        (b"\xff\xfe{}", "it is not UTF-8 text"),
        (b"[]", "[] is not valid"),
        (b"[" * 100_000, "the config is"),
    ],
)
def test_a_file_that_is_not_a_config(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said.replace("[]", r"\[\]")):
        load_config(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["model", "output_root", "experiments", "name", "threads", "pairs", "analysis", "compare_pairs"]
            ),
            inner,
            max_size=4,
        )
    ),
)


@settings(deadline=None, max_examples=200)
@given(json_values)
def test_any_json_is_a_config_or_one_line(value: object) -> None:
    path = Path(__file__).with_name(f".fuzz-{abs(hash(json.dumps(value)))}.json")
    path.write_text(json.dumps(value))
    try:
        load_config(path)
    except UserError as problem:
        assert "\n" not in str(problem)
    finally:
        path.unlink()


def test_only_keeps_the_comparisons_that_are_left(written) -> None:
    config = load_config(written())
    alone = restrict(config, ["mac_sme2_on"])
    assert [e.name for e in alone.experiments] == ["mac_sme2_on"]
    assert alone.compare_pairs == ()
    with pytest.raises(UserError, match="did you mean mac_sme2_on"):
        restrict(config, ["mac_sme2_o"])


def test_a_calibration_runs_the_candidate_against_itself(written) -> None:
    config = calibration_config(load_config(written()))
    a, b = config.experiments
    assert (a.name, b.name) == ("mac_sme2_on_a", "mac_sme2_on_b")
    assert a.disable_cpu_features == b.disable_cpu_features == ()
    assert config.output_root.name == "run_aa"


def test_the_plan_is_seeded_and_balanced(written) -> None:
    config = load_config(written(lambda c: [e.update(threads=[1, 2]) for e in c["experiments"]]))
    pairs = plan(config, seed=7, pairs=200)
    assert len(pairs) == 400
    assert pairs == plan(config, seed=7, pairs=200)
    assert pairs[:100] == plan(config, seed=7, pairs=50)  # a longer plan begins like a shorter one
    orders = [pair.order(7) for pair in pairs]
    assert orders != [pair.order(8) for pair in pairs]
    on_first = sum(order[0] == "mac_sme2_on" for order in orders)
    assert on_first == 200
    first = [pair.order(7)[0] == "mac_sme2_on" for pair in pairs if pair.threads == 1]
    fours = {tuple(first[number : number + 4]) for number in range(0, 200, 4)}
    assert len(fours) == 6 and all(sum(four) == 2 for four in fours), "two of four, in all six ways"


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
