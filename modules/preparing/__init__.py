"""Images made ready for training: mended, cut, resized, enlarged, without copies; into a folder of their own."""
