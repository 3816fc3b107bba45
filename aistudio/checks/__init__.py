"""The checks of the sanity run: small frozen objects, made from ``conf/sanity/*.yaml``, called with a ``Subject``.

A check is any class with a ``why`` (one sentence) and ``__call__(subject) -> Outcome``. Nothing is registered: an
entry of ``sanity.checks`` names it by its dotted path, with its knobs, and that is all it takes to add one.

    outcome     Outcome and the protocol Check
    subject     Subject: what a check is given (fresh models, batches, shared passes)
    training    WatchedTraining: one model trained on one fixed batch, and what was seen while it did
    contract    OutputContract, OddSizes, AllFinite
    learning    Gradients, OptimizerStep, Frozen, TargetsMatter, Learns
    evaluation  Deterministic, ImagesMatter, NeighboursDoNotMatter, SavesAndLoads
    edges       BatchOfOne, NoObjects, EdgeLabels, IgnoredPixels
    numerics    InputRange, Autocast, ChannelsLast, Compiles

Legend of the shapes in these files: N images in the batch, C classes, K objects in one image, H and W pixels.
"""
