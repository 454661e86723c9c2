# SPDX-License-Identifier: Apache-2.0
"""A device over adb: a phone, a board, anything that runs adbd."""
