"""Whose file it is, by the names of its tensors: what wrote it, and what to do where our models do not fit it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """``framework`` in words; a file is of it if every one of ``signs`` is found in its names.

    ``advice`` says what to do with it; it is empty where our models have these names.
    """

    framework: str
    signs: tuple[str, ...]
    advice: str = ""


TIMM = "AISTUDIO_TRUST=timm and a backbone of yours: model: {_target_: timm.create_model, model_name: …}"
_CONVOLUTIONAL = "the weights of a convolutional backbone"
TORCHVISION = "the same model's weights under torchvision's names"
ALONE = "its backbone alone: backbone.weights=FILE"
_FIRST_FIT = (  # the special before the general
    Layout("Ultralytics YOLO", (r"^model\.\d+\.(conv|cv\d|m\.\d)", r"\.bn\.weight$"), "train it with Ultralytics"),
    Layout("an adapter (LoRA)", (r"lora_A|lora_down",), "the full weights: merge the adapter first"),
    Layout("a quantised model", (r"_packed_params|zero_point$",), "the weights before quantisation"),
    Layout("OpenAI's CLIP", (r"^visual\.", r"^(transformer|token_embedding)"), _CONVOLUTIONAL),
    Layout("Segment Anything", (r"^image_encoder\.", r"^mask_decoder\."), _CONVOLUTIONAL),
    Layout("Hugging Face's ResNet", (r"embedder\.embedder\.convolution\.weight$",), TORCHVISION),
    Layout("Hugging Face's ViT", (r"embeddings\.cls_token$", r"encoder\.layer\.0\."), _CONVOLUTIONAL),
    Layout("Hugging Face's ConvNeXt", (r"embeddings\.patch_embeddings\.weight$", r"encoder\.stages\.0\."), TIMM),
    Layout("Hugging Face's EfficientNet", (r"efficientnet\.(embeddings|encoder)\.",), TORCHVISION),
    Layout("Hugging Face's MobileNet", (r"mobilenet_v\d\.(conv_stem|layer)\.",), TORCHVISION),
    Layout("DETR", (r"^transformer\.(encoder|decoder)\.", r"^class_embed\."), ALONE),
    Layout("Hugging Face Transformers", (r"(encoder|decoder)\.(layers?|block)\.\d+\.", r"atten"), _CONVOLUTIONAL),
    Layout("detectron2", (r"bottom_up\.|^(backbone\.)?res\d\.\d\.|proposal_generator\.",), TORCHVISION),
    Layout("mmsegmentation", (r"^backbone\.", r"^decode_head\."), ALONE),
    Layout("mmdetection", (r"^backbone\.", r"^(neck|bbox_head|roi_head|rpn_head)\."), ALONE),
    Layout("mmpretrain", (r"^backbone\.(conv1|layer\d|stem)", r"^head\.(fc|layers)\."), ALONE),
    Layout("segmentation_models_pytorch", (r"^encoder\.", r"^decoder\.", r"^segmentation_head\."), ALONE),
    Layout("aistudio's backbone with a head", (r"backbone\.model\.", r"head\.fc\.weight$")),
    Layout("aistudio's rotated detector", (r"backbone\.body\.", r"head\.regression_head\.(tower|box)\.")),
    Layout("torchvision's detector", (r"backbone\.(body|fpn)\.", r"(rpn\.head|roi_heads|head\.(class|regr))")),
    Layout("torchvision's segmentation model", (r"backbone\.", r"(^|\.)(aux_)?classifier\.(\d|low|high|cbr|scale)")),
    Layout("timm's Swin", (r"layers\.0\.blocks\.0\.attn\.",), TIMM),
    Layout("timm's ViT", (r"patch_embed\.proj\.weight$", r"blocks\.0\.attn\."), _CONVOLUTIONAL),
    Layout("timm's EfficientNet or MobileNet", (r"conv_stem\.weight$", r"blocks\.0\.0\."), TIMM),
    Layout("timm's ConvNeXt", (r"stem\.0\.weight$", r"stages\.0\.blocks\.0\."), TIMM),
    Layout("timm's RegNet", (r"stem\.conv\.weight$", r"s1\.b1\."), TIMM),
    Layout("torchvision's ResNet (timm's have the same names)", (r"conv1\.weight$", r"layer1\.0\.conv1\.weight$")),
    Layout("torchvision's ConvNeXt or Swin", (r"features\.0\.0\.weight$", r"features\.1\.0\.(attn|layer_scale)")),
    Layout("torchvision's EfficientNet or MobileNet", (r"features\.0\.0\.weight$", r"features\.1\.(0\.)?block\.")),
    Layout("torchvision's DenseNet", (r"features\.conv0\.weight$", r"denseblock1")),
    Layout("torchvision's VGG or AlexNet", (r"features\.0\.weight$", r"classifier\.\d\.weight$")),
)
_UNKNOWN = Layout("names that aistudio does not know", ())


def recognise(names: Iterable[str]) -> Layout:
    """The layout of a file with tensors of these names, wrappers' words taken out."""
    text = "\n".join(names)
    for layout in _FIRST_FIT:
        if all(re.search(sign, text, re.MULTILINE) for sign in layout.signs):
            return layout
    return _UNKNOWN
