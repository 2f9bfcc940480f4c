"""Numbers from arrays and tables: accuracy, intervals, thresholds, comparisons."""
