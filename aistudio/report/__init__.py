"""All that is said or written about a run: records, files, the terminal, summaries, pictures. No torch."""
