# SPDX-License-Identifier: Apache-2.0
"""Sides put side by side: pairs of launches, operators, layers, whole runs."""
