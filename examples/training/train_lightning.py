"""The same training as `train.py`, by Lightning."""

import hydra
import lightning
from hydra.errors import CompactHydraException
from hydra.utils import instantiate
from painted import Painted, build_task
from torch.utils.data import DataLoader

import aistudio


class Trained(lightning.LightningModule):
    """A model that aistudio assembled, with its task's loss and its architecture's optimiser."""

    def __init__(self, cfg, task):
        super().__init__()
        self.cfg, self.task = cfg, task
        self.model = aistudio.assemble(cfg)

    def training_step(self, batch, _):
        inputs, targets = batch
        loss = sum(self.task.loss(self.model, inputs, targets).values())
        self.log("loss", loss, on_epoch=True, on_step=False, batch_size=len(inputs))
        return loss

    def configure_optimizers(self):
        return instantiate(self.cfg.architecture.learning.optimizer, self.model.parameters())


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg):
    task = build_task(cfg)
    try:
        model = Trained(cfg, task)
    except aistudio.Refusal as refusal:  # told without a traceback; the other jobs of a sweep run all the same
        raise CompactHydraException(str(refusal)) from None
    images = Painted(task, cfg.images, cfg.task.image_size)
    batches = DataLoader(images, cfg.data.batch_size, shuffle=True, drop_last=True, collate_fn=images.collate)
    trainer = lightning.Trainer(max_epochs=cfg.epochs, logger=False, enable_checkpointing=False)
    trainer.fit(model, batches)
    print(f"loss {float(trainer.callback_metrics['loss']):.3f}")


if __name__ == "__main__":
    main()
