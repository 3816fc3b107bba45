"""Files of weights: their names, places and downloads, and what they hold. Standard library only; needs no torch."""
