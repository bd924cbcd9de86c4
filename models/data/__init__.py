"""Input data: batches of transformed impressions, their domains and id lists."""
