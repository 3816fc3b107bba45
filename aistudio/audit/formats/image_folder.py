"""Classification: a folder a class, ``root/CLASS/*.jpg`` or ``root/train/CLASS/*.jpg`` beside ``val`` and ``test``."""

from __future__ import annotations

from aistudio.audit.options import Options, refuse
from aistudio.audit.records import ImageRecord, Labels, Place
from aistudio.audit.tree import SPLITS, Tree, is_image_name, nearest, printable, split_of

_SIDE_FILES = {"thumbs.db", "desktop.ini"}


def read(tree: Tree, options: Options) -> Labels:
    """A class is the sorted index of its folder, in each split for itself, as torchvision's ImageFolder counts."""
    labels = Labels(tree.root, "image_folder", [])
    top = tree.subfolders()
    splits = _splits_among(tree, top)
    _refuse_higher_folder(tree, top)
    folders = splits or {"": ""}
    for split, folder in folders.items():
        labels.split_classes[split] = [n for n in tree.subfolders(folder) if not (folder == "" and n == "__pycache__")]
    if not any(labels.split_classes.values()):
        what = f"data.root={printable(tree.root)} has no class folders"
        refuse(what, "every class is a folder of images", "data.root", "root/CLASS/*.jpg or root/train/CLASS/*.jpg")
    for name in (name for name in top if splits and name not in splits.values()):
        if name.lower() in SPLITS:
            labels.blame("empty_class", Place(name), f"the split {name} has no class folder")
        elif {*tree.subfolders(name)} & {*tree.subfolders(folders.get("train", name))}:
            labels.blame("unknown_split", Place(name), f"{len(tree.images(name))} images in classes of train")
    train = "train" if "train" in folders else next(iter(folders))
    labels.classes = labels.split_classes[train]
    _place_files(tree, labels, folders)
    _note_hidden_folders(tree, labels, folders)
    _note_class_folders(labels, folders, train)
    return labels


def _splits_among(tree: Tree, top: list[str]) -> dict[str, str]:
    """The folder of each split: those with its name, or, if every folder says one (training_set, test_set), those."""
    filled = [name for name in top if tree.subfolders(name)]
    found = {SPLITS[name.lower()]: name for name in filled if name.lower() in SPLITS}
    said = {split_of(name): name for name in filled}
    alike = len(said) == len(top) > 1 and "" not in said
    return found or (said if alike and len({(*tree.subfolders(name),) for name in filled}) == 1 else {})


def _refuse_higher_folder(tree: Tree, top: list[str]) -> None:
    """Refuse a root whose only folder holds the splits: its name would be the only class."""
    below = tree.subfolders(top[0]) if len(top) == 1 else []
    if any(name.lower() in SPLITS and tree.subfolders(f"{top[0]}/{name}") for name in below):
        what = f"data.root={printable(tree.root)} is one folder too high"
        why = f"the splits {', '.join(below)} lie in {top[0]}"
        refuse(what, why, "data.root", f"data.root={printable(tree.root)}/{top[0]}")


def _place_files(tree: Tree, labels: Labels, folders: dict[str, str]) -> None:
    """Give every image its class, and name what lies where it has none."""
    number = {name: index for index, name in enumerate(labels.classes)}
    split_at = {folder: split for split, folder in folders.items()}
    for name in tree.files:
        parts = name.split("/")
        folder = "" if "" in split_at else parts[0]
        if folder not in split_at:
            continue
        below = parts if folder == "" else parts[1:]
        if len(below) < 2:
            if is_image_name(name):
                labels.blame("missing_label", Place(name), "an image that lies in no class folder")
            continue
        if is_image_name(name):
            label = number.get(below[0])
            labels.images.append(ImageRecord(name, split_at[folder], Place(name), label))
        elif below[-1].lower() not in _SIDE_FILES:
            labels.blame("stray_file", Place(name), "no image, by its name, in a class folder")


def _note_hidden_folders(tree: Tree, labels: Labels, folders: dict[str, str]) -> None:
    """Hidden folders of images among the classes, as editors leave them: ImageFolder takes each for a class."""
    for folder in folders.values():
        for path in sorted(tree.path(folder).glob(".*/")):
            if any(is_image_name(file.name) for file in path.iterdir()):
                said = "a hidden folder of images: left out here, a class of its own to torchvision's ImageFolder"
                labels.blame("stray_file", Place(f"{folder}/{path.name}".lstrip("/")), said)


def _note_class_folders(labels: Labels, folders: dict[str, str], train: str) -> None:
    """Empty class folders, and class lists that differ from the training split's."""
    filled = {tuple(image.name.split("/")[: 1 + bool(folders[image.split])]) for image in labels.images}
    for split, classes in labels.split_classes.items():
        folder = folders[split]
        for name in classes:
            path = (folder, name) if folder else (name,)
            labels.class_places.setdefault(name, Place("/".join(path)))
            if path not in filled:
                labels.blame("empty_class", Place("/".join(path)), f"class {name} has no image in it")
        if classes != labels.classes:
            _note_shift(labels, split, train, folder)


def _note_shift(labels: Labels, split: str, train: str, folder: str) -> None:
    """Name every class folder that train does not have, and the indices that move because of it."""
    there = labels.split_classes[split]
    for name in [n for n in there if n not in labels.classes]:
        close = nearest(name, labels.classes)
        message = f"class folder {name} is not in {train}; there: {close}"
        labels.blame("class_missing_in_train", Place(f"{folder}/{name}"), message)
    moved = [n for i, n in enumerate(there) if n in labels.classes and labels.classes.index(n) != i]
    if moved:
        shifts = ", ".join(f"{n} is {labels.classes.index(n)} in {train}, {there.index(n)} in {split}" for n in moved)
        labels.blame("class_index_shift", Place(folder), f"{len(moved)} classes move: {shifts}")
