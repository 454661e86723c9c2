# SPDX-License-Identifier: Apache-2.0
"""Flags of every command that exports a model: one that reads this imports no PyTorch."""

from __future__ import annotations

from pathlib import Path

from model_profiling.command import CommandParser


def add_model_file(parser: CommandParser) -> None:
    """Add the flag for a model of the user's own."""
    parser.add_argument(
        "--model-file",
        metavar="FILE.py",
        type=Path,
        help="a file (or package folder) of yours with the model; --model chooses among several",
    )


def add_weights(parser: CommandParser) -> None:
    """Add the flag for trained weights."""
    parser.add_argument("--weights", metavar="FILE", type=Path, help="a state dict saved with torch.save")


def add_group_size(parser: CommandParser) -> None:
    """Add the flag for the size of quantized groups."""
    parser.add_argument(
        "--group-size",
        metavar="N",
        type=int,
        default=0,
        help="for --dtype 8da4w: N weights of a row share a scale (default: 0, one scale a row)",
    )
