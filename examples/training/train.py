"""A plain PyTorch loop around a model that aistudio assembles, for any task."""

import hydra
import torch
from hydra.errors import CompactHydraException
from hydra.utils import instantiate
from painted import Painted, build_task
from torch.utils.data import DataLoader

import aistudio


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg):
    try:
        model = aistudio.assemble(cfg)
    except aistudio.Refusal as refusal:  # told without a traceback; the other jobs of a sweep run all the same
        raise CompactHydraException(str(refusal)) from None
    task = build_task(cfg)
    optimizer = instantiate(cfg.architecture.learning.optimizer, model.parameters())
    images = Painted(task, cfg.images, cfg.task.image_size)
    batches = DataLoader(images, cfg.data.batch_size, shuffle=True, drop_last=True, collate_fn=images.collate)
    for epoch in range(cfg.epochs):
        total = 0.0
        for inputs, targets in batches:
            loss = sum(task.loss(model, inputs, targets).values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}  loss {total / len(batches):.3f}")
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
