# SPDX-License-Identifier: Apache-2.0
"""`executor_runner` built from ExecuTorch's sources, in named variants, each proven from its binary.

`variants` names what there is, `recipe` writes the commands, `checkout` obtains the sources,
`cmake_cache` compares two configurations, `proof` reads what was compiled, `records` is the
version file beside each runner, and `building` goes through all of it.
"""
