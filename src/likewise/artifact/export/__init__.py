"""A fitted model for other programs: ONNX files that fold in and rank, tables of vectors for a projector."""
