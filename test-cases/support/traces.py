# SPDX-License-Identifier: Apache-2.0
"""Recorded traces of both sides, and small traces made up."""

from __future__ import annotations

import csv
import io

from model_profiling.analysis.traces.etdump import parse_etdump
from model_profiling.analysis.traces.operators import METHOD
from model_profiling.analysis.traces.timeline import Timeline, build_timeline
from model_profiling.pipeline.program.layers import Node
from support.etdump import Block, Event, write_etdump
from support.kit import FIXTURES

OFF = FIXTURES / "etdump" / "a64-sme2on__qemu-sme-off__mv3_int8.etdump"


ON = FIXTURES / "etdump" / "a64-sme2on__qemu-sme-on__mv3_int8.etdump"


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def timeline_of(blocks: list[Block], warmup: int = 0) -> Timeline:
    return build_timeline(parse_etdump(write_etdump(blocks), "test"), "test", warmup)


def method(duration: int) -> Event:
    return Event(METHOD, -1, None, start=100, end=100 + duration)


def node(kind: str, multiply_adds: int = 0) -> Node:
    return Node(kind, "", "", "", kind.lower(), (), (), multiply_adds)
