"""The shipped configuration, installed as ``aistudio.conf``; Hydra wants a package here."""
