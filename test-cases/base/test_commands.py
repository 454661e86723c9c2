# SPDX-License-Identifier: Apache-2.0
"""What every Python command promises: help, a parser to read, one line for a wrong flag or a bare Python."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest
from support.kit import KIT, REPOSITORY, kit

from model_profiling.command import CommandParser, run_command
from model_profiling.errors import MeasurementError, UserError

COMMANDS = sorted(
    path.relative_to(KIT).as_posix()
    for path in [*KIT.glob("scripts/*.py"), *KIT.glob("tools/*.py"), KIT / "export/export_model.py"]
    if "run_command(main)" in path.read_text(encoding="utf-8")
)


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has nothing but its standard library."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin/python"


def module(script: str) -> object:
    return importlib.import_module("model_profiling." + script.removesuffix(".py").replace("/", "."))


def test_the_commands_of_this_version_are_found() -> None:
    assert {
        "scripts/mac_pipeline.py",
        "scripts/validate_setup.py",
        "tools/etdump_to_csv.py",
        "export/export_model.py",
    } <= set(COMMANDS)


@pytest.mark.parametrize("script", COMMANDS)
def test_its_parser_can_be_read_and_every_flag_has_help(script: str) -> None:
    parser = module(script).build_parser()
    assert isinstance(parser, CommandParser) and parser.prog == Path(script).name
    assert parser.description
    assert [a.option_strings for a in parser._actions if not a.help] == []


@pytest.mark.parametrize("script", COMMANDS)
def test_help_and_a_misspelt_flag(script: str) -> None:
    parser = module(script).build_parser()
    assert "--help" in parser.format_help()
    flag = next(f for a in parser._actions for f in a.option_strings if f.startswith("--") and f != "--help")
    of_groups = [group._group_actions[0] for group in parser._mutually_exclusive_groups if group.required]
    wanted = [*(a for a in parser._actions if a.required), *of_groups]
    required = [w for a in wanted for w in (a.option_strings[0], "x")]
    with pytest.raises(UserError) as caught:
        parser.parse_args([*required, flag[:-1] + "zz"])
    assert f"did you mean {flag}?" in str(caught.value) or "did you mean --" in str(caught.value)


@pytest.mark.parametrize("script", [c for c in COMMANDS if c != "scripts/run_quick_test.py"])
def test_a_python_without_the_kit_gets_one_line(script: str, bare_python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [bare_python, "-I", KIT / script, "--help"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: this Python lacks the kit") and done.stderr.count("\n") == 1
    assert "setup_repo.sh" in done.stderr


def test_what_a_file_says_before_it_can_import_the_kit_is_said_in_two_ways() -> None:
    """No file can take it from another, for there is nothing to import it from; single files try uv first."""
    block = re.compile(
        r'^if importlib.util.find_spec\("model_profiling"\).*?^    sys.exit\(2\)$', re.DOTALL | re.MULTILINE
    )
    scripts = [c for c in COMMANDS if c != "scripts/run_quick_test.py"]
    said = {script: block.findall((KIT / script).read_text(encoding="utf-8")) for script in scripts}
    assert [script for script, blocks in said.items() if len(blocks) != 1] == []
    assert len({blocks[0] for blocks in said.values()}) == 2


@pytest.mark.parametrize(
    ("failure", "status"),
    [(UserError("what", "where", "fix"), 2), (MeasurementError("the runner died"), 1), (KeyboardInterrupt(), 130)],
)
def test_exit_statuses(failure: BaseException, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise failure

    with pytest.raises(SystemExit) as caught:
        run_command(main)
    assert caught.value.code == status
    assert capsys.readouterr().err.count("\n") == 1


def test_terminal_escapes_in_a_name_do_not_reach_the_terminal(tmp_path: Path) -> None:
    said = kit("scripts/validate_results.py", "--results", tmp_path / "a\x1b[31m\nb").stdout
    assert "\x1b" not in said


def test_a_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} {KIT / 'export/export_model.py'} --list | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_command_that_is_ended_ends_its_children(number: signal.Signals, tmp_path: Path) -> None:
    """A build of minutes must not go on by itself after `timeout` or a closed terminal."""
    child = tmp_path / "child.pid"
    script = (
        "from model_profiling.command import run_command\nfrom model_profiling.processes import run_child\n"
        f"words = ['sh', '-c', 'echo $$ > {child}.new && mv {child}.new {child} && sleep 60']\n"
        "run_command(lambda: run_child(words, timeout_s=90))\n"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", script],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    while not child.is_file():
        assert command.poll() is None
        time.sleep(0.01)
    command.send_signal(number)
    assert command.communicate(timeout=60)[1] == "interrupted\n" and command.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(child.read_text()), 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_command_that_is_ended_while_it_starts_a_child_ends_it(number: signal.Signals, tmp_path: Path) -> None:
    """The child itself ends its parent, which does not know it yet."""
    child = tmp_path / "child.pid"
    script = f"""
import os
from pathlib import Path
from model_profiling.command import run_command
from model_profiling.processes import started_child

def end_the_parent():
    Path({str(child)!r}).write_text(str(os.getpid()))
    os.kill(os.getppid(), {int(number)})

def main():
    with started_child(["sleep", "60"], preexec_fn=end_the_parent) as process:
        process.wait()

run_command(main)
"""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, env=environment, timeout=60
    )
    assert done.stderr == "interrupted\n" and done.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(child.read_text()), 0)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
