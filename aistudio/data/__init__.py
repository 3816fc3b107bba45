"""Where pictures come from, and batches made of them."""
