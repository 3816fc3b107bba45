"""A data set that needs no download: one bright quarter in an image, and the number of that quarter."""

import lightning
import torch
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.transforms.functional import normalize

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # what ImageNet's backbones are used to


class Quarters(Dataset):
    """Images (3, size, size), RGB, normalised as ImageNet's; labels 0 to 3."""

    def __init__(self, length: int, size: int):
        self.length, self.size = length, size

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        generator = torch.Generator().manual_seed(index)
        label = int(torch.randint(4, (1,), generator=generator))
        image = 0.4 * torch.rand(3, self.size, self.size, generator=generator)
        half = self.size // 2
        top, left = half * (label // 2), half * (label % 2)
        image[:, top : top + half, left : left + half] += 0.6
        return normalize(image, MEAN, STD), label


class Painted(lightning.LightningDataModule):
    """Batches for training and, of other images, for testing."""

    def __init__(self, length: int, size: int, batch_size: int):
        super().__init__()
        self.length, self.size, self.batch_size = length, size, batch_size

    def train_dataloader(self):
        return DataLoader(Quarters(self.length, self.size), self.batch_size, shuffle=True, drop_last=True)

    def test_dataloader(self):
        return DataLoader(Subset(Quarters(self.length + 32, self.size), range(self.length, self.length + 32)), 16)
