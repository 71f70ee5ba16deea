"""One-shot free-view talking-head synthesis, Face vid2vid (arXiv 2011.15126)."""

from fadm.coarse.face_vid2vid.model import FaceVid2Vid, FaceVid2VidConfig, FaceVid2VidState

__all__ = ["FaceVid2Vid", "FaceVid2VidConfig", "FaceVid2VidState"]
