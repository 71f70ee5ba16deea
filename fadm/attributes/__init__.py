"""What the face does: expression (50) and pose (6)."""
