# SPDX-License-Identifier: Apache-2.0
"""Many models on many devices: what to export and to measure, where and when. What a launch is it does not know.

It starts the kit's own commands, as a user would: `export_model.py` once for each program, and for each cell of a sweep
one of the pipelines, or a preview. All that it knows is in files, so that it may end at any moment.
"""
