# SPDX-License-Identifier: Apache-2.0
"""Which kernels ran or were registered, by operator and layer."""
