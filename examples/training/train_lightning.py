"""The same training as `train.py`, by Lightning."""

import hydra
import lightning
from hydra.errors import CompactHydraException
from hydra.utils import instantiate
from painted import Quarters
from torch.utils.data import DataLoader

import aistudio


class Classifier(lightning.LightningModule):
    """A model that aistudio assembled, with its task's loss and its architecture's optimiser."""

    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.model = aistudio.assemble(cfg)
        self.loss_of = instantiate(cfg.task.loss)

    def training_step(self, batch, _):
        pictures, labels = batch
        loss = self.loss_of(self.model(pictures), labels)
        self.log("loss", loss, on_epoch=True, on_step=False)
        return loss

    def configure_optimizers(self):
        return instantiate(self.cfg.architecture.learning.optimizer, self.model.parameters())


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg):
    try:
        model = Classifier(cfg)
    except aistudio.Refusal as refusal:  # told without a traceback; the other jobs of a sweep run all the same
        raise CompactHydraException(str(refusal)) from None
    batches = DataLoader(Quarters(128, cfg.task.image_size), cfg.data.batch_size, shuffle=True, drop_last=True)
    trainer = lightning.Trainer(max_epochs=cfg.epochs, logger=False, enable_checkpointing=False)
    trainer.fit(model, batches)
    print(f"loss {float(trainer.callback_metrics['loss']):.3f}")


if __name__ == "__main__":
    main()
