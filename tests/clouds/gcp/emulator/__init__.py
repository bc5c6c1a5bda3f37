"""Compute Engine and Cloud KMS on loopback, stricter than a mock: requests are held against Google's own discovery
documents.
"""
