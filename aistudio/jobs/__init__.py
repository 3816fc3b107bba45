"""One configuration run in its folder, and many: a sweep."""
