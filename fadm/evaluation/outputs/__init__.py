"""What a finished run is written to: tables, plots, report."""
