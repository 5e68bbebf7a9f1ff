"""Signatures: who made a bundle, and whether this device trusts him.

The format is OpenSSF Model Signing v1.0 (https://github.com/ossf/model-signing-spec): a Sigstore
bundle, in it a DSSE envelope, in it an in-toto statement with the SHA-256 of what is signed.

strict_json   JSON that can be read in one way only
envelope      these three layers
keys          key pairs and their fingerprints; needs the package cryptography
verification  is this signature by one of these keys, and over this bundle?
trust         the keys that a device trusts
making        signing, on the host; needs the package model-signing
"""
