# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a set-up, one module a kind: each check returns findings, none raises."""
