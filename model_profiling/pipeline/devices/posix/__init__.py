# SPDX-License-Identifier: Apache-2.0
"""What devices share that are reached through a POSIX shell: scripts, files, launches, the device itself."""
