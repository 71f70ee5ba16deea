"""The losses that training objectives consist of."""
