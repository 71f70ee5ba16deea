"""Files to arrays and back; knows nothing of models."""
