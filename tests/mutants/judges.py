"""Who judges a mistake: the tests of the core that run through its statement, then a few seeds of the simulator.

Never runs a test beside a mistake in this process: each mistake is made in a fork of its own, which dies with it. A
mistake inside a function is put into the function that is already loaded; one in a table, a default or a decorator
needs the program to be loaded anew.
"""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import coverage
import pytest
from _pytest.runner import runtestprotocol

from tests.mutants.points import Mutant, code_at, function_at, lines_around, written

ROOT = Path(__file__).parents[2]
CORE = ROOT / "orchestrator" / "decision"
LONG_S = 2.0  # a longer test judges only the module it is named after
CPU_S, BYTES = 12, 6 << 30
PLAIN = ("-s", "-p", "no:cacheprovider", "-p", "no:terminal")
ARGUMENTS = [*PLAIN, "-o", "addopts=", "--hypothesis-seed=0", f"--rootdir={ROOT}"]
Found = tuple[str, str]  # how it ended: killed, timeout, survived or invalid; by what


def forked(work: Callable[[], str], cpu_s: int) -> tuple[int, str]:
    """Works in a fork that may use so much time: its exit status, and what it says."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            quiet = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(quiet, stream)
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
            resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
            said = work()
            with os.fdopen(writer, "w") as stream_out:
                stream_out.write(said)
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as stream_in:
        said = stream_in.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


class _Loaded(importlib.abc.MetaPathFinder):
    """Loads one module with a mistake in it."""

    def __init__(self, path: Path, code: CodeType) -> None:
        self._name = f"orchestrator.decision.{path.stem}"
        self._path, self._code = path, code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Knows this module alone."""
        if fullname != self._name:
            return None
        code = self._code

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, fullname: str) -> CodeType:
                return code

        return importlib.util.spec_from_file_location(fullname, self._path, loader=Loader(fullname, str(self._path)))


def _forget_the_program() -> None:
    """Also the tests, under whatever name they were collected: each keeps what it imported."""
    ours = (f"{ROOT}/orchestrator/", f"{ROOT}/tests/")
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(ours) and not name.startswith("tests.mutants"):
            del sys.modules[name]


class Judges:
    """The collected tests, which statement each runs through, and how long each takes."""

    def __init__(self, items: list[pytest.Item], seeds: int) -> None:
        self._seeds = seeds
        self._items = {one.nodeid: one for one in items}
        self._functions = {
            (Path(one.__code__.co_filename).name, one.__code__.co_firstlineno): one
            for one in gc.get_objects()
            if isinstance(one, FunctionType) and Path(one.__code__.co_filename).parent == CORE
        }
        status, said = forked(self._watched, 600)
        if status:
            raise SystemExit("The tests of the core do not run.")
        seen = json.loads(said)
        self.failing: list[str] = seen["failing"]
        self.took_s: dict[str, float] = seen["took_s"]
        self._through = {file: {int(k): v for k, v in lines.items()} for file, lines in seen["through"].items()}
        nothing_wrong = CORE / "events.py"
        code = compile(nothing_wrong.read_text(), str(nothing_wrong), "exec", dont_inherit=True)
        status, said = forked(lambda: self._loaded_anew(nothing_wrong, code), 600)
        if status or said:
            raise SystemExit(f"The tests of the core fail when the program is loaded anew: {said}")
        self._settings = self._disasters()
        gc.freeze()

    def _disasters(self) -> list[object]:
        """The disasters of the first seeds, invented before anything is wrong."""
        from orchestrator.plans.files import usable
        from orchestrator.simulation.faults import ALL
        from orchestrator.simulation.scenario import setting_of

        known = usable(ROOT)
        return [setting_of(seed, ALL, None, known) for seed in range(self._seeds)]

    def _watched(self) -> str:
        """Runs every test once, as things are, and writes down the lines of the core it runs through."""
        watch = coverage.Coverage(data_file=None, config_file=False, include=[f"{CORE}/*"])
        took_s, failing = {}, []
        watch.start()
        for name, item in self._items.items():
            watch.switch_context(name)
            began_s = time.process_time()
            if not self._pass([item]):
                took_s[name] = time.process_time() - began_s
            else:
                failing.append(name)
        watch.stop()
        data = watch.get_data()
        through = {Path(file).name: data.contexts_by_lineno(file) for file in data.measured_files()}
        return json.dumps({"failing": failing, "took_s": took_s, "through": through})

    def _pass(self, items: list[pytest.Item]) -> str:
        """The first test that fails; nothing if all pass."""
        for item, following in zip(items, [*items[1:], None], strict=True):
            if any(report.failed for report in runtestprotocol(item, nextitem=following, log=False)):
                return item.nodeid
        return ""

    def _asked(self, mutant: Mutant, lines: range) -> list[str]:
        """The tests that run through these lines, those of the module itself and the quick ones first."""
        own = f"test_decision_{Path(mutant.file).stem}.py"
        known = self._through.get(mutant.file, {})
        names = {name for line in lines for name in known.get(line, ()) if name in self.took_s}
        names = {name for name in names if self.took_s[name] < LONG_S or own in name}
        return sorted(names, key=lambda name: (own not in name, self.took_s[name]))

    def judge(self, mutant: Mutant) -> Found:
        """Makes the mistake in a fork and asks who may see it."""
        path = CORE / mutant.file
        source = path.read_text()
        try:
            whole = compile(written(mutant, source), str(path), "exec", dont_inherit=True)
        except SyntaxError:
            return "invalid", ""
        line = function_at(source, mutant.at)
        code = code_at(whole, line) if line else None
        function = self._functions.get((mutant.file, line))
        asked = self._asked(mutant, lines_around(source, mutant.at))
        if code and function and code.co_freevars == function.__code__.co_freevars:
            cpu_s = CPU_S + 3 * int(sum(self.took_s[name] for name in asked))
            status, said = forked(lambda: self._in_place(function, code, asked), cpu_s)
        else:
            status, said = forked(lambda: self._loaded_anew(path, whole), 4 * CPU_S)
        if status:
            return ("timeout", "") if status == -signal.SIGXCPU else ("killed", "broken program")
        return ("killed", said) if said else ("survived", "")

    def _in_place(self, function: FunctionType, code: CodeType, asked: list[str]) -> str:
        function.__code__ = code
        return self._pass([self._items[name] for name in asked]) or _played(self._settings)

    def _loaded_anew(self, path: Path, code: CodeType) -> str:
        """All tests of the core in a program that is loaded with the mistake, those of the module itself first."""
        _forget_the_program()
        sys.meta_path.insert(0, _Loaded(path, code))
        own = ROOT / "tests" / f"test_decision_{path.stem}.py"
        last = [name for name, took_s in self.took_s.items() if took_s >= LONG_S]
        aside = [option for name in self.failing + last for option in ("--deselect", name)]
        for files in ([own] if own.exists() else [], [one for one in judging() if one != own]):
            first = _First()
            if files and pytest.main([*ARGUMENTS, "-x", *aside, *map(str, files)], plugins=[first]):
                return first.name or "loading"
        return _played(self._disasters())


class _First:
    """Remembers the first test that failed."""

    name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called with each outcome."""
        if report.failed and not self.name:
            self.name = report.nodeid


def judging() -> list[Path]:
    """The files of tests that judge."""
    return [*sorted((ROOT / "tests").glob("test_decision_*.py")), *sorted((ROOT / "tests/scenarios").glob("test_*.py"))]


def _played(settings: list[object]) -> str:
    """The first disaster that breaks a promise; nothing if all end well."""
    from orchestrator.simulation.scenario import played

    for number, setting in enumerate(settings):
        outcome = played(setting)  # type: ignore[arg-type]
        if outcome.violation or outcome.not_live:
            return f"simulator: seed {number}"
    return ""
