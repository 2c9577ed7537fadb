"""What every part speaks: vocabulary, errors, hashing, files, intervals."""
