"""The papers' claims, one module a paper."""
