"""Fine-tuning: training methods and data, gains and retention."""
