"""The Encoder protocol and the built-in encoders, one file a family."""
