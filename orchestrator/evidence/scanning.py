"""Matches YARA rules on the samples that inspections fetched, on this machine, in memory.

Never runs a sample and never lets a rule include a file or take more than its time.
"""

from __future__ import annotations

from collections.abc import Mapping

import yara_x

from orchestrator.errors import Refused

SCAN_S = 10


class Scanner:
    """The rules of an indicator set, compiled once."""

    def __init__(self, rules: Mapping[str, str]) -> None:
        """`rules` is source by file name. Raises Refused for one that does not compile, with the compiler's words."""
        compiler = yara_x.Compiler(includes_enabled=False)
        for name, source in rules.items():
            compiler.new_namespace(name)
            try:
                compiler.add_source(source, origin=name)
            except yara_x.CompileError as error:
                raise Refused(f"The YARA rules {name} do not compile: {error}", rule="indicators.yara") from error
        self._scanner = yara_x.Scanner(compiler.build())
        self._scanner.set_timeout(SCAN_S)

    def hits(self, content: bytes) -> list[str]:
        """The rules that fit, as `file: rule`. Raises Refused where a scan did not come to its end."""
        try:
            found = self._scanner.scan(content).matching_rules
        except (yara_x.ScanError, yara_x.TimeoutError) as error:
            raise Refused(f"A sample could not be scanned: {error}", rule="indicators.scan") from error
        return [f"{rule.namespace}: {rule.identifier}" for rule in found]
