# SPDX-License-Identifier: Apache-2.0
"""EdgeTAM's image encoder, the advanced example: an architecture taken from its papers and made export-friendly."""

from model_profiling.models.registry import register

register("edgetam_image_encoder", f"{__name__}.model:EdgeTamImageEncoder")
register("edgetam_image_encoder_64", f"{__name__}.model:ReducedEdgeTamImageEncoder")
register("edgetam_original", f"{__name__}.original:OriginalEdgeTamImageEncoder")
