"""Where the face is: detection, landmarks, several faces, person segmentation, scene cuts, smoothing."""
