"""What SECURITY.md promises stands on this: where code is looked for, how files are written, what text may say."""
