"""The page of finished runs: one HTML file that needs no network."""
