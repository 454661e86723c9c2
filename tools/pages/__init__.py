# SPDX-License-Identifier: Apache-2.0
"""Pages as programs: read Markdown, follow what a reader types, check it, run it.

The layers, each importing only from those left of it::

    problems, document <- lexer, shell, repository <- reader, programs <- checks <- checking, running

A page becomes a `Document`; its shell blocks become statements; a `Reader` follows them in
order, with a folder, variables and the files made so far. The same model serves every kind of
document that tells somebody what to type.
"""
