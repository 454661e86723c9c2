# SPDX-License-Identifier: Apache-2.0
"""Sweeps over several hosts, on Dask distributed: what each host offers, what travels, and what is done where.

Dask starts work on other hosts and tells when they go; all else is the kit's: where a cell goes, what becomes of one
that was interrupted, and every file by its digest. Its scheduler's state may be lost at any moment.
"""
