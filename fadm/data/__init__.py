"""The data of training and evaluation: shards of clips, pairs of frames, samples."""
