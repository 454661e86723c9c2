# SPDX-License-Identifier: Apache-2.0
"""From a recorded trace to executions, operators and layers."""
