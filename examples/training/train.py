"""A plain PyTorch loop around a model that aistudio assembles."""

import hydra
import torch
from hydra.errors import CompactHydraException
from hydra.utils import instantiate
from painted import Quarters
from torch.utils.data import DataLoader

import aistudio


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg):
    try:
        model = aistudio.assemble(cfg)
    except aistudio.Refusal as refusal:  # told without a traceback; the other jobs of a sweep run all the same
        raise CompactHydraException(str(refusal)) from None
    optimizer = instantiate(cfg.architecture.learning.optimizer, model.parameters())
    loss_of = instantiate(cfg.task.loss)
    batches = DataLoader(Quarters(128, cfg.task.image_size), cfg.data.batch_size, shuffle=True, drop_last=True)
    for epoch in range(cfg.epochs):
        total = 0.0
        for pictures, labels in batches:
            loss = loss_of(model(pictures), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}  loss {total / len(batches):.3f}")
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
