"""Models that nobody here wrote, by the five lines of the README: 75 of timm's CNNs and hybrids, 25 of torchvision's.

python benchmarks/foreign.py                             # all of them at sanity=quick, a line each, then the count
python benchmarks/foreign.py --only mobilenet maxvit     # those whose names hold a word
python benchmarks/foreign.py --part 0 4                  # the first quarter, to go on another day
python benchmarks/foreign.py --map-recipe                # num_classes: 0, global_pool: "", as timm's own documents say

Weights are random. A model that is refused for its size is tried again at the size that the refusal names.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ["AISTUDIO_TRUST"] = "timm"

TIMM = (
    "lcnet_050 tinynet_e mobilenetv3_small_100 mobilenetv4_conv_small mnasnet_small mobilenetv2_050 mobilenetv1_100 "
    "semnasnet_075 ghostnet_050 ghostnetv2_100 repghostnet_050 mobilenetv3_large_100 hardcorenas_a spnasnet_100 "
    "fbnetc_100 mixnet_s efficientnet_b0 efficientnet_lite0 tf_efficientnetv2_b0 fbnetv3_b rexnet_100 regnetx_002 "
    "regnety_002 shvit_s1 starnet_s050 fasternet_t0 efficientvit_b0 efficientvit_m0 lowformer_b0 edgenext_xx_small "
    "mobilevit_xxs mobilevitv2_050 repvit_m0_9 swiftformer_xs efficientformerv2_s0 fastvit_t8 mobileone_s0 "
    "repvgg_a0 dla46_c dla34 resnet18 resnet26d resnetv2_50 seresnet18 legacy_seresnet18 skresnet18 resnest14d "
    "res2net50_14w_8s resnext50_32x4d ecaresnet26t gernet_s eca_botnext26ts_256 botnet26t_256 halonet26t "
    "lambda_resnet26t bat_resnext26ts convnext_atto convnextv2_atto inception_next_atto mambaout_femto "
    "poolformer_s12 hgnetv2_b0 ese_vovnet19b_dw selecsls42 cspdarknet53 densenet121 dpn48b hrnet_w18_small "
    "inception_v3 xception41 vgg11_bn tresnet_m nf_regnet_b0 coatnet_0_rw_224 swin_tiny_patch4_window7_224 "
)
TORCHVISION = (
    "mnasnet0_5 mobilenet_v2 shufflenet_v2_x0_5 shufflenet_v2_x1_0 squeezenet1_0 squeezenet1_1 mnasnet1_0 "
    "regnet_x_400mf regnet_y_400mf regnet_y_800mf efficientnet_b5 efficientnet_v2_s googlenet alexnet "
    "resnext50_32x4d convnext_tiny convnext_small densenet121 densenet169 swin_t swin_v2_t maxvit_t inception_v3 "
    "vgg11 vgg16_bn "
)


def model_entry(library: str, name: str, map_recipe: bool) -> str:
    """The ``model:`` of the YAML."""
    if library == "torchvision":
        aux = ", aux_logits: false, init_weights: true" if name in ("googlenet", "inception_v3") else ""
        return f"{{_target_: torchvision.models.{name}{aux}}}"
    asked = ', num_classes: 0, global_pool: ""' if map_recipe else ""
    return f"{{_target_: timm.create_model, model_name: {name}{asked}}}"


def verdict(entry: str, more: list[str], size: int | None = None) -> tuple[str, str]:
    """passed, failed or refused, and what was said."""
    import aistudio

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "backbone").mkdir()
        (Path(folder) / "backbone" / "foreign.yaml").write_text(f"name: foreign\nmodel: {entry}\n")
        sized = [] if size is None else [f"task.image_size={size}"]
        overrides = ["backbone=foreign", "task=classification", "runtime=cpu", "sanity=quick", *sized, *more]
        try:
            report = aistudio.sanity_run(aistudio.compose(*overrides, config_dir=folder))
        except aistudio.Refusal as refusal:
            problem = refusal.problems[0]
            named = re.match(r"task\.image_size=(\d+)", problem.instead)
            if named and size is None:
                found, said = verdict(entry, more, int(named[1]))
                return found, f"{said}; refused at 224 px ({problem.why[:60]})"
            return "refused", f"{problem.what}: {problem.why}"
    said = "; ".join(f"{check.name}: {check.seen} ({check.cause})" for check in report.failures)
    learned = next((check.seen for check in report.checks if check.name == "overfits_one_batch"), "")
    return report.verdict, said or f"{report.assembled['checked at']}; {learned}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--part", nargs=2, type=int, default=[0, 1], metavar=("INDEX", "OF"))
    parser.add_argument("--map-recipe", action="store_true")
    parser.add_argument("overrides", nargs="*", default=[], help="more overrides, such as task=regression")
    chosen = parser.parse_args()
    models = [("timm", name) for name in TIMM.split()] + [("torchvision", name) for name in TORCHVISION.split()]
    models = [one for one in models if not chosen.only or any(word in one[1] for word in chosen.only)]
    index, of = chosen.part
    share = -(-len(models) // of)
    counted: Counter[tuple[str, str]] = Counter()
    for library, name in models[index * share : (index + 1) * share]:
        started = time.perf_counter()
        found, said = verdict(model_entry(library, name, chosen.map_recipe), chosen.overrides)
        counted[library, found] += 1
        print(f"{library:11} {name:30} {found:8} {time.perf_counter() - started:5.1f} s  {said}", flush=True)
    print(", ".join(f"{count} of {library} {found}" for (library, found), count in sorted(counted.items())))


if __name__ == "__main__":
    main()
