"""What the face does in a frame: expression (50), pose (6), camera and gaze, and the models that measure them."""
