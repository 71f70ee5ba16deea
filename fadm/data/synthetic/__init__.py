"""Clips of synthetic faces, so that everything that trains runs without any data."""
