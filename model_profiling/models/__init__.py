# SPDX-License-Identifier: Apache-2.0
"""What can be exported: the contract of a model, the registry, and one package per model."""
