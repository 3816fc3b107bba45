"""Train and test what `configs/` describes."""

import hydra
import lightning
from hydra.errors import CompactHydraException
from hydra.utils import instantiate
from omegaconf import DictConfig

import aistudio


def made(entries: DictConfig | None) -> list:
    """The objects of a group whose file has several, such as callbacks."""
    return [instantiate(entry) for entry in (entries or {}).values()]


@hydra.main(version_base="1.3", config_path="configs", config_name="train")
def main(cfg: DictConfig) -> float:
    lightning.seed_everything(cfg.seed, workers=True)
    try:
        net = aistudio.assemble(cfg.net)
    except aistudio.Refusal as refusal:  # told without a traceback; the other jobs of a sweep run all the same
        raise CompactHydraException(str(refusal)) from None
    model = instantiate(cfg.model, net=net)
    data = instantiate(cfg.data)
    trainer = instantiate(cfg.trainer, callbacks=made(cfg.get("callbacks")), logger=made(cfg.get("logger")) or False)
    trainer.fit(model, data)
    trainer.test(model, data)
    return float(trainer.callback_metrics["test_loss"])


if __name__ == "__main__":
    main()
