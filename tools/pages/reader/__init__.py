# SPDX-License-Identifier: Apache-2.0
"""A reader who types what a page says: files, folders and what each command leaves."""
