"""Small data, models and reference implementations that benchmarks and tests share."""
