# SPDX-License-Identifier: Apache-2.0
from model_profiling.models.registry import register

register("speech", f"{__name__}.model:Speech")
