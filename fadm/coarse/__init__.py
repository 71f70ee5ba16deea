"""Source and driving face to coarse frame (paper, section 3.1)."""
