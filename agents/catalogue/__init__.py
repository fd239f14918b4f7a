"""Where inference is bought, which models teams may use, and what they cost."""
