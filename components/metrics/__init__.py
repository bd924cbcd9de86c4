"""What a model is judged by: GAUC, AUC, log loss and calibration, computed by TFMA."""
