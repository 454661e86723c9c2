# SPDX-License-Identifier: Apache-2.0
"""Pages as programs: read Markdown, follow what a reader types, check it, run it.

Four rooms, each importing only from those left of it::

    reading <- reader <- checks <- running

`reading` makes a `Document` of a page, and statements of its shell blocks. A `Reader` of `reader`
types them in order, with a folder, variables and the files made so far; `reader/effects` knows
what the kit's commands leave. `checks` asks every rule about the page in that context. `running`
types the same lines into a shell. Skills, in `tools.skills`, are run by the same rooms.
"""
