"""Publisher: copies an approved model into TF Serving's folder, by dated version."""
