"""One file a format: `read(tree, options)` makes `aistudio.audit.records.Labels` of its label files."""
