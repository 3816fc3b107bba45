"""From overrides and files to a configuration that can work, or to a refusal. No torch."""
