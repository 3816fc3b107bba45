"""From a judged configuration to objects: the model, the task, the source of images, the optimiser."""
