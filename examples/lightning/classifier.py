"""A network, its loss and its optimiser, for Lightning."""

import lightning
import torch
from torch import nn


class Classifier(lightning.LightningModule):
    """Trains any network that gives logits (N, classes)."""

    def __init__(self, net: nn.Module, lr: float):
        super().__init__()
        self.net, self.lr, self.loss_of = net, lr, nn.CrossEntropyLoss()

    def loss(self, batch, name):
        images, labels = batch
        loss = self.loss_of(self.net(images), labels)
        self.log(name, loss, on_epoch=True, on_step=False, prog_bar=True)
        return loss

    def training_step(self, batch, _):
        return self.loss(batch, "loss")

    def test_step(self, batch, _):
        return self.loss(batch, "test_loss")

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.lr)
