"""Where the face is: landmarks, several faces, scene cuts."""
