# SPDX-License-Identifier: Apache-2.0
"""What `measure_edgetam_encoder.py` is made of: programs, launches, tables."""
