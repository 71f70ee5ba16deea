"""What training objectives are made of."""
