"""All that is said or written about a run: records, files, the terminal, summaries, plots. No torch."""
