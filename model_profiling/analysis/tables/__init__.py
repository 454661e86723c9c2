# SPDX-License-Identifier: Apache-2.0
"""The CSV tables: one file a table, with its columns, its writer and its reader."""
