"""Clips of synthetic faces, so that training runs without any data."""
