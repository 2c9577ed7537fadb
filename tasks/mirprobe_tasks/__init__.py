"""Task plug-ins, one file each, and the data sets that they run on."""
