# SPDX-License-Identifier: Apache-2.0
"""An emulated Arm CPU: QEMU and what it needs."""
