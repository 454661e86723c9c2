# SPDX-License-Identifier: Apache-2.0
"""The generated reference of commands: read from their parsers, joined with one data file, as Markdown."""
