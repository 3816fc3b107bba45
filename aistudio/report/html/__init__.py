"""A run and a sweep as one HTML file each, made from ``report.json`` and summary rows alone. No torch."""
