# SPDX-License-Identifier: Apache-2.0
"""Parts of a fleet by themselves: where jobs go, what travels, files by their digests, what is refused."""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kit import kit
from support.sweep import write_sweep_config

from model_profiling.errors import UserError
from model_profiling.fleet.config import load_sweep_config
from model_profiling.fleet.directory import JobNote
from model_profiling.fleet.hosts.address import Address, parse_address
from model_profiling.fleet.hosts.certificates import find_certificates, make_certificates
from model_profiling.fleet.hosts.offer import Offer
from model_profiling.fleet.hosts.placement import LEFT_ALONE_S, MOST_LOST, Before, Placement
from model_profiling.fleet.hosts.sent_files import SentFile, files_below, sent_files
from model_profiling.fleet.hosts.store import ArrivingFile, Store
from model_profiling.fleet.hosts.travelling import JobAnswer, Order, cell_of
from model_profiling.fleet.performing import PerformingOptions
from model_profiling.fleet.plan import Cell, SweepPlan, make_plan
from model_profiling.fleet.wanted_device import ADB, LOCAL, wanted_device
from model_profiling.json_objects import JsonObject

WAIT_S = 60.0


def host(name: str, cpu: str = "A CPU", **changes: object) -> Offer:
    return replace(Offer(f"w-{name}", name, name, LOCAL, cpu, ("avx2",), exports=True), **changes)


def phone(serial: str, host: str = "lab", **changes: object) -> Offer:
    names = {"soc": ("SM8850", "QTI"), "model": ("Pixel 9", "Google")}
    return replace(Offer(f"w-{serial}-{host}", serial, host, ADB, "Pixel 9", ("sme2",), serial, names), **changes)


def plan_of(folder: Path, **keys: object) -> SweepPlan:
    return make_plan(load_sweep_config(write_sweep_config(folder, dtypes=["fp32"], **keys)), seed=7)


def placed(plan: SweepPlan, before: Before | None = None, seed: int = 7) -> Placement:
    """Return the placement of a plan whose programs are there."""
    ready = Before(frozenset(program.name for program in plan.programs))
    return Placement(plan.cells, before or ready, seed, WAIT_S, now=0.0)


def done(job: str) -> JobNote:
    return JobNote(job, "done")


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ("local", [True, False]),
        ("adb", [False, True]),
        ("emulated", [True, False]),
        ({"serial": "R5"}, [False, True]),
        ({"serial": "R6"}, [False, False]),
        ({"soc": "sm8850"}, [False, True]),
        ({"soc": "QTI SM8850"}, [False, True]),
        ({"model": "Pixel 8"}, [False, False]),
        ({"address": "10.0.0.2:5555"}, [False, False]),
    ],
)
def test_a_device_fits_by_what_it_is_called(wanted: object, fits: list[bool]) -> None:
    device = wanted_device(wanted, "here")
    assert [offer.fits(device) for offer in (host("lab"), phone("R5"))] == fits
    only_exports = host("lab", measures=False)
    assert only_exports.fits(device) == (wanted == "emulated") and "local lab" not in only_exports.resources
    assert phone("R5").resources == {"adb R5": 1, "soc SM8850": 1, "model Pixel 9": 1, "cpu sme2": 1}


def test_cells_wait_for_their_program_and_each_device_does_one_at_a_time(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, threads=[1, 2], devices=["local", {"serial": "R5"}])
    placement = Placement([*plan.programs, *plan.cells], Before(), 7, WAIT_S, now=0.0)
    assert placement.see([host("lab"), phone("R5")], 0.0) == []
    first = placement.next(0.0)
    assert first.job == plan.programs[0] and first.offer.exports and placement.next(0.0) is None
    assert placement.ended(done(first.job.name)) == []
    begun = [placement.next(0.0), placement.next(0.0)]
    assert {one.offer.key for one in begun} == {"lab", "R5"} and placement.next(0.0) is None
    placement.ended(done(begun[0].job.name))
    assert placement.next(0.0).offer == begun[0].offer


def test_the_order_is_the_seeds(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, threads=list(range(1, 21)))

    def order(seed: int) -> list[str]:
        placement, names = placed(plan, seed=seed), []
        placement.see([host("lab")], 0.0)
        while (one := placement.next(0.0)) is not None:
            names.append(one.job.name)
            placement.ended(done(one.job.name))
        return names

    assert order(7) == order(7) != order(8) and sorted(order(7)) == sorted(cell.name for cell in plan.cells)
    assert order(7) != [cell.name for cell in plan.cells]


def test_a_failed_export_fails_its_cells(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, models=["toy_cnn", "toy_transformer"])
    placement = Placement([*plan.programs, *plan.cells], Before(), 7, WAIT_S, now=0.0)
    placement.see([host("lab")], 0.0)
    job = placement.next(0.0).job
    (failed,) = placement.ended(JobNote(job.name, "failed", "no"))
    assert failed.reason == f"its program {job.name} could not be exported" and failed.job == f"{job.name}_t1_local"
    assert placement.next(0.0).job != job and placement.left


def test_a_begun_cell_goes_on_on_its_device_alone(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, devices=[{"soc": "SM8850"}])
    placement, both = placed(plan), [phone("A1", "lab-1"), phone("B2", "lab-2")]
    placement.see(both, 0.0)
    first = placement.next(0.0)
    assert placement.lost(first.job, True, 0.0) == []
    other = next(offer for offer in both if offer.key != first.offer.key)
    placement.see([other], 1.0)
    assert placement.next(0.0) is None and placement.hopeless(WAIT_S, "states/{}.json") == []
    moved = replace(first.offer, worker="new", host="lab-3")  # plugged in elsewhere: the same phone
    placement.see([other, moved], 2.0)
    assert placement.next(0.0).offer == moved
    placement.lost(first.job, True, 2.0)
    placement.see([other], WAIT_S + 3.0)
    (failed,) = placement.hopeless(WAIT_S + 3.0, "states/{}.json")
    assert f"it was begun on {first.offer.key}, which is not there" in failed.reason
    assert f"remove states/{first.job.name}.json to begin anew" in failed.reason and not placement.left


def test_a_cell_that_was_not_begun_goes_anywhere(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, devices=[{"soc": "SM8850"}])
    placement = placed(plan)
    placement.see([phone("A1")], 0.0)
    placement.lost(placement.next(0.0).job, False, 0.0)
    placement.see([phone("B2")], 0.0)
    assert placement.next(0.0).offer.key == "B2"


def test_what_ends_its_worker_again_and_again_is_given_up(tmp_path: Path) -> None:
    placement = placed(plan_of(tmp_path))
    placement.see([host("lab")], 0.0)
    lost = []
    for number in range(MOST_LOST):
        now = number * LEFT_ALONE_S
        lost.append(placement.lost(placement.next(now).job, True, now))
        assert placement.next(now + LEFT_ALONE_S / 2) is None, "the scheduler may list it though it is gone"
    assert lost[:-1] == [[]] * (MOST_LOST - 1)
    assert (lost[-1][0].reason, lost[-1][0].place) == ("its worker lab went away 5 times while it was done", "lab")


def test_this_host_means_hosts_of_one_cpu(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, threads=[1, 2, 3])
    placement = placed(plan)
    placement.see([host("a", "X"), host("b", "Y"), host("c", "X")], 0.0)
    assert [placement.next(0.0).offer.key, placement.next(0.0).offer.key, placement.next(0.0)] == ["a", "c", None]
    again = placed(plan, Before(frozenset({"toy_cnn_fp32"}), cpus={"local": "Y"}))
    again.see([host("a", "X"), host("b", "Y")], 0.0)
    assert again.next(0.0).offer.key == "b"
    named = placed(plan_of(tmp_path, devices=[{"serial": "R5"}]), Before(frozenset({"toy_cnn_fp32"}), cpus={"R5": "Z"}))
    named.see([phone("R5")], 0.0)
    assert named.next(0.0).offer.key == "R5", "one that is named is that one"


def test_who_is_not_used_is_told_once(tmp_path: Path) -> None:
    placement = placed(plan_of(tmp_path, devices=["local", {"serial": "R5"}]))
    offers = [host("lab", kit_version="0.0.1"), phone("R5", "lab-1"), phone("R5", "lab-2")]
    told = placement.see(offers, 0.0)
    assert told[0].startswith("lab is not used: it has version 0.0.1 of the kit, this is ")
    assert told[1] == "R5 is not used: lab-1 and lab-2 offer it; disconnect it from all but one"
    assert placement.see(offers, 1.0) == [] and placement.next(0.0) is None
    reasons = [note.reason for note in placement.hopeless(WAIT_S + 1, "{}")]
    assert reasons[1] == f"no worker offers R5, waited for 60 s (offered: none; {told[0]}; {told[1]})"
    assert not placement.left


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_happens_each_cell_ends_once_and_no_device_does_two(data: st.DataObject) -> None:
    """Devices come and go, workers are lost, exports fail: every job ends once, where it was begun."""
    plan = _PLAN
    placement = Placement([*plan.programs, *plan.cells], Before(), data.draw(st.integers(0, 99)), WAIT_S, now=0.0)
    every = [host("lab"), host("lab-2"), phone("A1"), phone("B2", "lab-2")]
    ended: list[str] = []
    places: defaultdict[str, set[str]] = defaultdict(set)
    now = 0.0
    for _ in range(400):
        if not placement.left:
            break
        now += 5.0
        placement.see([offer for offer in every if data.draw(st.integers(0, 3))], now)
        ended += [note.job for note in placement.hopeless(now, "{}")]
        while (one := placement.next(now)) is not None:
            if isinstance(one.job, Cell):
                places[one.job.name].add(one.offer.key)
        keys = [one.offer.key for one in placement.busy]
        assert len(set(keys)) == len(keys)
        for one in placement.busy:
            how = data.draw(st.sampled_from(["goes on", "done", "done", "lost", "failed"]))
            if how == "lost":
                ended += [note.job for note in placement.lost(one.job, True, now)]
            elif how != "goes on":
                ended.append(one.job.name)
                ended += [note.job for note in placement.ended(JobNote(one.job.name, how))]
    assert sorted(ended) == sorted(job.name for job in (*plan.programs, *plan.cells))
    assert all(len(keys) == 1 for keys in places.values()), places


@pytest.mark.parametrize(
    ("text", "address", "loopback"),
    [
        ("lab-1", ("lab-1", 8786), False),
        ("127.0.0.1:9000", ("127.0.0.1", 9000), True),
        ("localhost:1", ("localhost", 1), True),
        ("[::1]:8786", ("::1", 8786), True),
        ("10.0.0.1:8786", ("10.0.0.1", 8786), False),
    ],
)
def test_addresses(text: str, address: tuple[str, int], loopback: bool) -> None:
    found = parse_address(text)
    assert (found.host, found.port) == address and found.loopback == loopback
    assert parse_address(str(found)) == found


@pytest.mark.parametrize("text", ["", ":1", "a:0", "a:70000", "a b", "tcp://a:1", "-x:1"])
def test_what_is_no_address_is_one_line(text: str) -> None:
    with pytest.raises(UserError, match="is no HOST:PORT, in --scheduler"):
        parse_address(text)


def test_certificates_fit_each_other_whatever_the_clock(tmp_path: Path) -> None:
    made = make_certificates(tmp_path / "fleet")
    assert made.key.stat().st_mode & 0o777 == 0o600
    context = ssl.create_default_context(cafile=str(made.authority))
    context.load_cert_chain(made.certificate, made.key)
    from cryptography import x509

    valid = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    assert valid.not_valid_before_utc < datetime.now(timezone.utc) - timedelta(hours=24)
    with pytest.raises(UserError, match="there are certificates already"):
        make_certificates(tmp_path / "fleet")
    lab = Address("10.0.0.1", 8786)
    assert find_certificates(tmp_path / "fleet", lab) == made and find_certificates(None, Address("::1", 1)) is None
    with pytest.raises(UserError, match="10.0.0.1:8786 is another machine"):
        find_certificates(None, lab)
    made.key.unlink()
    with pytest.raises(UserError, match="fleet-key.pem is not there"):
        find_certificates(tmp_path / "fleet", lab)


def test_files_arrive_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "from" / "deep").mkdir(parents=True)
    (tmp_path / "from" / "deep" / "a").write_bytes(b"x" * 1000)
    (tmp_path / "from" / "empty").touch()
    (tmp_path / "from" / ".lock").touch()
    root, store = tmp_path / "from", Store(tmp_path / "kept")
    files = sent_files(root, files_below(root))
    assert [(file.path, file.size) for file in files] == [("deep/a", 1000), ("empty", 0)]
    (big, empty) = files
    assert len(store.missing(files)) == 2
    store.put("me", big, 0, b"x" * 400)
    with pytest.raises(UserError, match="a piece of deep/a is missing"):
        store.put("me", big, 600, b"x" * 400)
    store.put("me", big, 0, b"x" * 500)  # begun anew
    store.put("me", big, 500, b"x" * 500)
    store.put("me", empty, 0, b"")
    assert store.missing(files) == []
    with pytest.raises(UserError, match=r"b arrived damaged \(its digest does not match\)"):
        store.put("me", SentFile("b", "0" * 64, 1), 0, b"y")
    for _ in range(2):
        store.assemble(tmp_path / "made", files)
    assert (tmp_path / "made" / "deep" / "a").read_bytes() == b"x" * 1000
    with pytest.raises(UserError, match="c did not arrive"):
        store.assemble(tmp_path / "made", [SentFile("c", "1" * 64, 1)])
    arriving = ArrivingFile(tmp_path / "back" / "a", big)
    arriving.add(b"x" * 999)
    with pytest.raises(UserError, match="deep/a arrived damaged"):
        arriving.finish()
    assert not (tmp_path / "back" / "a").exists()
    arriving.add(b"x")
    arriving.finish()
    assert [file.name for file in (tmp_path / "back").iterdir()] == ["a"]


@pytest.mark.parametrize("place", ["/etc/passwd", "../a", "a/../../b", ""])
def test_a_file_stays_in_its_folder(place: str) -> None:
    digest = hashlib.sha256(b"").hexdigest()
    with pytest.raises(UserError, match="is no place in a folder"):
        SentFile.from_json(JsonObject({"path": place, "sha256": digest, "size": 0}, "from lab", "mend it"))


def test_an_order_comes_as_it_was_sent(tmp_path: Path) -> None:
    (cell,) = plan_of(tmp_path, devices=[{"soc": "SM8850"}], pairs=3).cells
    file = SentFile("toy.pte", "0" * 64, 5)
    order = Order("s", "R5", cell.to_json(), (file,), PerformingOptions(True, 3.0))
    read = Order.read(order.words())
    assert (read.sweep, read.device, read.files, read.options) == ("s", "R5", (file,), order.options)
    (tmp_path / "toy.pte").touch()
    here = cell_of(JsonObject(dict(read.job), "here", "mend it"), tmp_path, phone("R5"))
    assert (here.name, here.config) == (cell.name, json.loads(json.dumps(cell.config)))
    assert (here.device.serial, here.device.soc, here.program.exported) == ("R5", None, False)
    answer = JobAnswer(JobNote("c", "failed", "no", "R5", place="R5", cpu="A CPU"), True, (file,), file)
    assert JobAnswer.read(answer.words()) == answer


def test_without_the_extra_a_line_says_what_to_install(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['distributed'] = None; sys.argv = sys.argv[1:]; import runpy; "
    for words in (["fleet_worker.py", "--make-certificates", tmp_path / "c"], ["sweep.py", "--config", "CONFIG"]):
        words = [write_sweep_config(tmp_path) if word == "CONFIG" else word for word in words]
        words += ["--scheduler", "localhost"] if words[0] == "sweep.py" else []
        run = f"{hidden}runpy.run_path('model_profiling/scripts/{words[0]}', run_name='__main__')"
        done = subprocess.run([sys.executable, "-c", run, *map(str, words)], capture_output=True, text=True)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
        assert (
            'install what fleets need: setup_repo.sh --with-fleet, or pip install "sme-executorch-profiling[fleet]"'
            in done.stderr
        )


def test_what_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    config = write_sweep_config(tmp_path)
    words = ("scripts/sweep.py", "--config", config, "--scheduler")
    assert "there is no scheduler (Connection refused), at localhost:9" in kit(*words, "localhost:9").error_line()
    assert "lab:8786 is another machine" in kit(*words, "lab").error_line()
    assert not (tmp_path / "sweep").exists()
    assert "local is no scheduler" in kit("scripts/fleet_worker.py", "--scheduler", "local").error_line()


@pytest.fixture(scope="module", autouse=True)
def _plan(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _PLAN
    devices = ["local", {"soc": "SM8850"}, {"serial": "A1"}]
    _PLAN = plan_of(tmp_path_factory.mktemp("plan"), models=["toy_cnn", "toy_transformer"], devices=devices)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
