"""Files to arrays and back; this stage knows no models."""
