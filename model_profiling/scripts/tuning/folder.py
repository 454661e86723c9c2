# SPDX-License-Identifier: Apache-2.0
"""The folder of a tuning: its request, the journal of what was tried, programs, runs and results.

All of what a tuning knows is in these files, so that one that was killed goes on where it was: a line is added to the
journal once a program or a run is whole, and one that is whole without a line is not made again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from model_profiling.analysis.tuning.record import CALIBRATION, FINAL, PLAIN, Rewrites, Trial, Tried, TriedProgram
from model_profiling.analysis.tuning.strategy import Measure
from model_profiling.errors import UserError
from model_profiling.files import append_json_line, drop_torn_line, read_json, whole_lines, write_json
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.calibration import SUFFIX
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.scripts.tuning.request import TuningRequest

#: Experiments of a comparison.
BEFORE, AFTER = "before", "after"
_AGAIN = "name another --outdir to begin anew"
_PROGRAM, _TRIAL = "program", "trial"
_PLAIN = "plain"
_LONGEST_NAME, _DIGITS = 120, 8


def tuning_folder(model: str, dtype: str) -> Path:
    """Return where a tuning goes when nobody says otherwise."""
    return Path(f"out_{model}") / f"tuned_{dtype}"


class TuningFolder:
    """Names, reading and writing of everything under one `--outdir`; `every` is all that is to be tried at once."""

    def __init__(self, root: Path, every: Rewrites = PLAIN) -> None:
        self.root, self._every = root, every
        self.request = root / "tuning_request.json"
        self.journal = root / "tuning_journal.jsonl"
        self.log = root / "tuning.log"
        self.result = root / "tuning.json"
        self.page = root / "TUNING.md"
        self.before_after = RunDirectory(root / "before_after")
        self.calibration = RunDirectory(root / "runs" / f"{_PLAIN}{SUFFIX}")

    def program(self, rewrites: Rewrites) -> Path:
        """Return the folder of a combination's export."""
        return self.root / "programs" / self._name(rewrites)

    def run(self, step: Measure) -> RunDirectory:
        """Return the run directory of a comparison."""
        if step.stage == CALIBRATION:
            return self.calibration
        if step.stage == FINAL:
            return self.before_after
        return RunDirectory(
            self.root / "runs" / f"{self._name(step.candidate)}_against_{self._name(step.baseline)}_{step.stage}"
        )

    def config(self, step: Measure) -> Path:
        """Return the configuration of a comparison, beside its run."""
        root = self.run(step).root
        return root.with_name(f"{root.name}.config.json")

    def _name(self, rewrites: Rewrites) -> str:
        """Return a combination's name for files, which reports show: its rewrites, where they are not too many."""
        if rewrites in (PLAIN, self._every):
            return _PLAIN if rewrites == PLAIN else "all"
        name = "_".join(rewrites)
        short = hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]
        return name if len(name) <= _LONGEST_NAME else f"{len(rewrites)}_rewrites_{short}"

    def begin(self, request: TuningRequest, resume: bool) -> None:
        """Make the folder this tuning's.

        Raises
        ------
        UserError : it holds something else, another tuning, or this one and nobody asked to take it up.
        """
        identity = request.identity()
        if self.request.is_file():
            before = read_json(self.request, "tuning's request")
            if not resume:
                raise UserError("the folder holds a tuning", f"at {self.root}", f"add --resume to go on, or {_AGAIN}")
            if not isinstance(before, dict) or before != identity:
                differs = [key for key in identity if not isinstance(before, dict) or before.get(key) != identity[key]]
                raise UserError(
                    f"the tuning that began there had another {' and '.join(differs) or 'request'}",
                    f"in --resume of {self.root}",
                    f"ask for the same, or {_AGAIN}",
                )
            drop_torn_line(self.journal)
            return
        # Hidden: the lock, and what a kill left of writing the request.
        held = sorted(path.name for path in self.root.iterdir() if not path.name.startswith("."))
        if held:
            raise UserError(
                f"the folder holds files that are not of a tuning ({held[0]})", f"at {self.root}", "name a new one"
            )
        write_json(self.request, identity)

    def tried(self) -> Tried:
        """Return all that the journal has.

        Raises
        ------
        UserError : a line of it is damaged.
        """
        programs, trials = [], []
        for number, line in enumerate(whole_lines(self.journal), 1):
            where = f"at {self.journal}:{number}"
            try:
                plain = json.loads(line)
            except ValueError as error:
                raise UserError("a line of the journal is not JSON", where, _AGAIN) from error
            held = JsonObject(plain, where, _AGAIN, what="the line")
            if _PROGRAM in held:
                programs.append(TriedProgram.from_json(held.within(_PROGRAM)))
            else:
                trials.append(Trial.from_json(held.within(_TRIAL)))
        return Tried(tuple(programs), tuple(trials))

    def add(self, done: TriedProgram | Trial) -> None:
        """Add what was done to the journal."""
        append_json_line(self.journal, {_PROGRAM if isinstance(done, TriedProgram) else _TRIAL: done.to_json()})
